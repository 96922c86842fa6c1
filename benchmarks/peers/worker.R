# R's side, with the survey and mice packages: the protocol of harness/worker.py in base R.
#
#     Rscript worker.R FOLDER JOB
#
# Designs and matrices are made before the clock starts. R 4 multiplies matrices with the BLAS it was built against,
# which is named among the versions.

suppressPackageStartupMessages(library(survey))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
job <- arguments[2]

lines <- strsplit(readLines(file.path(folder, "settings.txt")), " ")
settings <- setNames(lapply(lines, function(line) line[-1]), vapply(lines, `[`, "", 1))
setting <- function(name) as.integer(settings[[name]])
doubles <- function(file, rows) {
  path <- file.path(folder, file)
  matrix(readBin(path, "double", file.size(path) / 8, endian = "little"), nrow = rows)
}
people_of <- function(file) setNames(as.data.frame(doubles(file, setting("people"))), settings$columns)
covariates <- settings$covariates
design_of <- function(people) svydesign(ids = ~psu, strata = ~stratum, weights = ~weight, data = people, nest = TRUE)
replicated_of <- function(people) {
  factor <- doubles("factor.bin", setting("units"))
  svrepdesign(
    data = people, weights = people$weight, repweights = people$weight * factor[people$unit + 1, ],
    combined.weights = TRUE, type = "other", scale = 1 / (ncol(factor) - 1), rscales = rep(1, ncol(factor)), mse = FALSE
  )
}
fitted_of <- function(fit) list(estimate = coef(fit), se = sqrt(diag(vcov(fit))))
model <- function(outcome, names) reformulate(names, outcome)

logistic <- function() {
  design <- design_of(people_of("people.bin"))
  terms <- model("event", c("treated", covariates))
  function() fitted_of(svyglm(terms, design, family = quasibinomial()))
}

# svymean in svyby and the logit interval by hand: faster than svyciprop, which gives the same.
prevalences <- function() {
  design <- design_of(people_of("people.bin"))
  function() {
    table <- svyby(~event, ~group, design, svymean, vartype = "se")
    units <- unique(design$variables[c("group", "stratum", "unit")])
    strata <- unique(units[c("group", "stratum")])
    df <- as.vector(table(units$group) - table(strata$group))
    share <- table$event
    reach <- qt(0.975, df) * table$se / (share * (1 - share))
    low <- plogis(qlogis(share) - reach)
    high <- plogis(qlogis(share) + reach)
    list(estimate = share, se = table$se, df = df, low = low, high = high)
  }
}

refits <- function() {
  design <- replicated_of(people_of("people.bin"))
  terms <- model("treated", covariates)
  function() fitted_of(svyglm(terms, design, family = quasibinomial()))
}

# withReplicates as its help page shows it: a glm from a formula, with the replicate's weights.
iptw <- function() {
  design <- replicated_of(people_of("people.bin"))
  terms <- model("treated", covariates)
  replicated(design, function(weight, data) {
    data$own <- weight / mean(weight)
    propensity <- fitted(glm(terms, data = data, weights = own, family = quasibinomial()))
    one <- weight * data$treated / propensity
    none <- weight * (1 - data$treated) / (1 - propensity)
    sum(one * data$event) / sum(one) - sum(none * data$event) / sum(none)
  })
}

aipw <- function() {
  design <- replicated_of(people_of("people.bin"))
  terms <- model("treated", covariates)
  outcome_terms <- model("event", covariates)
  replicated(design, function(weight, data) {
    data$own <- weight / mean(weight)
    propensity <- fitted(glm(terms, data = data, weights = own, family = quasibinomial()))
    risk <- function(arm, score) {
      here <- data$treated == arm
      outcome <- glm(outcome_terms, data = data[here, ], weights = own, family = quasibinomial())
      predicted <- predict(outcome, data, type = "response")
      own <- weight[here] / score[here]
      sum(weight * predicted) / sum(weight) + sum(own * (data$event - predicted)[here]) / sum(own)
    }
    risk(1, propensity) - risk(0, 1 - propensity)
  })
}

replicated <- function(design, estimate) {
  function() {
    result <- withReplicates(design, estimate)
    list(estimate = coef(result), se = sqrt(diag(as.matrix(vcov(result)))))
  }
}

# The same tuned by hand: no formulas, no rows of weight zero, started at the full sample's fit, which comes first.
fit <- function(matrix, outcome, weight, start) {
  glm.fit(matrix, outcome, weight / mean(weight), start = start, family = quasibinomial())
}

spread <- function(design, estimate) {
  function() {
    starts <- new.env()
    replicated(design, function(weight, data) estimate(weight, which(weight > 0), starts))()
  }
}

iptw_tuned <- function() {
  people <- people_of("people.bin")
  matrix <- cbind(1, as.matrix(people[covariates]))
  spread(replicated_of(people), function(weight, rows, starts) {
    weight <- weight[rows]
    treated <- people$treated[rows]
    event <- people$event[rows]
    propensity <- fit(matrix[rows, ], treated, weight, starts$propensity)
    if (is.null(starts$propensity)) starts$propensity <- propensity$coefficients
    one <- weight * treated / propensity$fitted.values
    none <- weight * (1 - treated) / (1 - propensity$fitted.values)
    sum(one * event) / sum(one) - sum(none * event) / sum(none)
  })
}

aipw_tuned <- function() {
  people <- people_of("people.bin")
  matrix <- cbind(1, as.matrix(people[covariates]))
  spread(replicated_of(people), function(weight, rows, starts) {
    weight <- weight[rows]
    treated <- people$treated[rows]
    event <- people$event[rows]
    inside <- matrix[rows, ]
    propensity <- fit(inside, treated, weight, starts$propensity)
    if (is.null(starts$propensity)) starts$propensity <- propensity$coefficients
    risk <- function(arm, score) {
      here <- treated == arm
      name <- paste0("outcome", arm)
      outcome <- fit(inside[here, ], event[here], weight[here], starts[[name]])
      if (is.null(starts[[name]])) starts[[name]] <- outcome$coefficients
      own <- weight[here] / score[here]
      predicted <- plogis(drop(inside %*% outcome$coefficients))
      sum(weight * predicted) / sum(weight) + sum(own * (event - predicted)[here]) / sum(own)
    }
    risk(1, propensity$fitted.values) - risk(0, 1 - propensity$fitted.values)
  })
}

# The models of our own plan: every other variable, the log weight, and the product of treatment and outcome.
imputation <- function() {
  library(mice)
  people <- people_of("people.bin")
  gaps <- people_of("gaps.bin")
  gaps[is.na(gaps)] <- NA
  partial <- covariates[vapply(gaps[covariates], anyNA, TRUE)]
  count <- vapply(gaps[partial], function(column) length(unique(na.omit(column))), 1L)
  wanted <- cbind(gaps[c("treated", "event", covariates)], product = gaps$treated * gaps$event, size = log(gaps$weight))
  method <- setNames(rep("", ncol(wanted)), names(wanted))
  method[partial] <- ifelse(count == 2, "logreg", ifelse(count < 10, "polyreg", "pmm"))
  categories <- partial[count < 10]
  wanted[categories] <- lapply(wanted[categories], factor)
  terms <- model("event", c("treated", covariates))
  m <- setting("imputations")
  function() {
    imputed <- mice(
      wanted, m = m, maxit = setting("iterations"), method = method, donors = 5, printFlag = FALSE,
      seed = setting("seed")
    )
    fits <- lapply(seq_len(m), function(number) {
      whole <- complete(imputed, number)
      whole[categories] <- lapply(whole[categories], function(column) as.numeric(as.character(column)))
      people[covariates] <- whole[covariates]
      fitted_of(svyglm(terms, design_of(people), family = quasibinomial()))
    })
    pooled(t(vapply(fits, `[[`, numeric(17), "estimate")), t(vapply(fits, `[[`, numeric(17), "se"))^2)
  }
}

pooling <- function() {
  library(mice)
  given <- readBin(file.path(folder, "given.bin"), "double", 1e6, endian = "little")
  both <- array(given, c(17, setting("imputations"), 2))
  function() pooled(t(both[, , 1]), t(both[, , 2]))
}

# Rubin's rules with Barnard and Rubin's degrees of freedom, of 62 in complete data.
pooled <- function(estimates, variances) {
  each <- lapply(seq_len(ncol(estimates)), function(place) {
    pool.scalar(estimates[, place], variances[, place], n = 63, k = 1)
  })
  pick <- function(name) vapply(each, `[[`, 1, name)
  list(estimate = pick("qbar"), se = sqrt(pick("t")), df = pick("df"), between = pick("b"))
}

number <- function(values) {
  written <- ifelse(is.finite(values), sprintf("%.17g", values), "NaN")
  paste0("[", paste(written, collapse = ","), "]")
}
tell <- function(...) {
  cat("{", paste(..., sep = ", "), "}\n", sep = "")
  flush(stdout())
}
version_of <- function(name) sprintf("\"%s\": \"%s\"", name, packageVersion(name))

needed <- if (job %in% c("imputation", "pooling")) c("mice", "nnet") else character()
absent <- needed[!vapply(needed, requireNamespace, TRUE, quietly = TRUE)]
if (length(absent)) {
  tell(sprintf("\"unavailable\": \"R has no package %s\"", paste(absent, collapse = ", ")))
  quit(status = 0)
}
work <- list(
  logistic = logistic, prevalences = prevalences, refits = refits, iptw = iptw, aipw = aipw,
  iptw_tuned = iptw_tuned, aipw_tuned = aipw_tuned, imputation = imputation, pooling = pooling
)[[job]]()
invisible(gc())
versions <- paste(
  c(sprintf("\"R\": \"%s\"", getRversion()), version_of("survey"), vapply(needed[-2][seq_along(needed[-2])], version_of, ""),
    sprintf("\"BLAS\": \"%s\"", basename(extSoftVersion()[["BLAS"]]))),
  collapse = ", "
)
tell(sprintf("\"pid\": %d", Sys.getpid()), sprintf("\"versions\": {%s}", versions))
input <- file("stdin", "r")
while (length(line <- readLines(input, 1)) > 0) {
  if (line != "run") next
  invisible(gc())
  used <- proc.time()
  started <- as.numeric(Sys.time())
  numbers <- work()
  seconds <- as.numeric(Sys.time()) - started
  cpu <- sum((proc.time() - used)[1:2])
  named <- paste(sprintf("\"%s\": %s", names(numbers), vapply(numbers, number, "")), collapse = ", ")
  tell(sprintf("\"seconds\": %.9f", seconds), sprintf("\"cpu\": %.3f", cpu), sprintf("\"numbers\": {%s}", named))
}
