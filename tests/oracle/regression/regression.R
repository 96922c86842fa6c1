# Reference numbers for the regressions: every family, domains, lonely PSUs, tests of several terms, and margins.
# Run in this folder: Rscript regression.R

suppressPackageStartupMessages(library(survey))

people <- read.csv("../people.csv", stringsAsFactors = TRUE)
people$amount <- cut(people$visits, c(-Inf, 1, 3, Inf), c("few", "some", "many"))
# Until the deviance no longer changes at all: Fisher's scoring with a link that is not canonical creeps.
exact <- glm.control(epsilon = 1e-300, maxit = 300)
plain <- function(x) unname(c(x))

of <- function(data) svydesign(~psu, strata = ~stratum, weights = ~weight, data = data, nest = TRUE)
whole <- of(people)
parts <- list(everyone = whole, domain = subset(whole, domain == 1))

formulas <- list(
  linear = cost ~ treated * sex + age, logistic = event ~ treated * sex + age, poisson = event ~ treated * sex + age,
  "log-binomial" = event ~ treated * sex + age, "complementary-log-log" = event ~ treated * sex + age,
  rate = visits ~ treated * sex + age + offset(log(age))
)
kinds <- list(
  linear = gaussian(), logistic = quasibinomial(), poisson = quasipoisson(), "log-binomial" = quasibinomial("log"),
  "complementary-log-log" = quasibinomial("cloglog"), rate = quasipoisson()
)
fitted_by <- function(name, design, formula = formulas[[name]]) {
  # A log link needs a start below 1: everyone at the mean.
  columns <- ncol(model.matrix(formula, people))
  start <- if (name == "log-binomial") c(log(coef(svymean(~event, design))), rep(0, columns - 1)) else NULL
  # svyglm evaluates its arguments in the formula's place.
  environment(formula) <- environment()
  family <- kinds[[name]]
  once <- function(start) {
    suppressWarnings(eval(bquote(svyglm(.(formula), design, family = .(family), control = exact, start = .(start)))))
  }
  fit <- once(start)
  # Where scoring creeps, the deviance stops changing before the coefficients do: each new start is one more step.
  if (name %in% c("log-binomial", "complementary-log-log")) for (again in 1:25) fit <- once(coef(fit))
  fit
}

numbers <- function(fit, design) list(
  term = names(coef(fit)), estimate = plain(coef(fit)), se = plain(SE(fit)), covariance = unname(vcov(fit)),
  df_terms = fit$df.residual, df_design = degf(design)
)
models <- list()
for (policy in c("remove", "adjust", "average")) {
  options(survey.lonely.psu = policy)
  models[[policy]] <- lapply(parts, function(design) {
    sapply(names(formulas), function(name) numbers(fitted_by(name, design), design), simplify = FALSE)
  })
}
options(survey.lonely.psu = "adjust")

# Tests of several terms. (The interaction is its own column here, so that dropping `age` refits the same columns.)
kept <- function(test) list(chisq = plain(test$chisq), p = plain(test$p), df = test$df, ddf = test$ddf, lambda = plain(test$lambda))
tests_of <- function(name, design) {
  y <- all.vars(formulas[[name]])[1]
  formula <- as.formula(paste(y, "~ treated + sex + age + sqrt(visits)"))
  if (name == "rate") formula <- visits ~ treated + sex + age + cost + offset(log(age))
  last <- if (name == "rate") ~ age + cost else ~ age + sqrt(visits)
  # regTermTest fits the smaller model by updating this call, which must find all it names.
  assign("a_family", kinds[[name]], globalenv())
  assign("a_design", design, globalenv())
  assign("a_start", NULL, globalenv())
  fit <- suppressWarnings(eval(bquote(svyglm(.(formula), a_design, family = a_family, control = exact)), globalenv()))
  wald <- regTermTest(fit, last)
  asymptotic <- regTermTest(fit, last, df = degf(design))
  list(
    term = names(coef(fit)),
    wald = list(F = plain(wald$Ftest), p = plain(wald$p), df = wald$df, ddf = wald$ddf),
    wald_design = list(F = plain(asymptotic$Ftest), p = plain(asymptotic$p), df = asymptotic$df, ddf = asymptotic$ddf),
    saddlepoint = kept(suppressWarnings(regTermTest(fit, last, method = "LRT"))),
    satterthwaite = kept(suppressWarnings(regTermTest(fit, last, method = "LRT", lrt.approximation = "satterthwaite"))),
    one = kept(suppressWarnings(regTermTest(fit, if (name == "rate") ~ cost else ~ sqrt(visits), method = "LRT"))),
    anova = lapply(suppressWarnings(anova(fit)), kept),
    anova_wald = lapply(suppressWarnings(anova(fit, method = "Wald")), function(test)
      list(F = plain(test$Ftest), p = plain(test$p), df = test$df, ddf = test$ddf))
  )
}
tests <- lapply(parts, function(design) sapply(
  c("linear", "logistic", "poisson", "complementary-log-log", "rate"), tests_of, design = design, simplify = FALSE))
for (part in names(tests)) for (name in names(tests[[part]])) {
  names(tests[[part]][[name]]$anova) <- names(tests[[part]][[name]]$anova_wald) <-
    c("treated", "sex", "age", if (name == "rate") "cost" else "visits")
}

# The references of the working likelihood ratio by themselves.
weights <- list(c(2, 1, 0.5), c(1.7, 1.2), 3.1)
mixtures <- list()
for (a in weights) for (x in c(0.2, 4, 15)) for (ddf in c(5, 18, Inf)) for (method in c("saddlepoint", "satterthwaite")) {
  p <- if (is.finite(ddf)) pFsum(x, rep(1, length(a)), a, ddf, lower.tail = FALSE, method = method) else
    pchisqsum(x, rep(1, length(a)), a, lower.tail = FALSE, method = method)
  name <- sprintf("case%d", length(mixtures) + 1)
  mixtures[[name]] <- list(a = I(a), x = x, ddf = if (is.finite(ddf)) ddf else -1, method = method, p = plain(p))
}

# Ordinal: svyolr climbs by BFGS, which stops at seven digits. Newton's steps finish it, on a slope written out here,
# and svyolr then works out its variance there without a step of its own, from numeric slopes with steps small enough (for a year of age, smaller).
ordinal <- list()
slope_of <- function(design, b) {
  data <- model.frame(design)
  x <- model.matrix(~ treated + sex + age, data)[, -1]
  y <- as.integer(data$amount)
  cuts <- c(-Inf, b[4:5], Inf)
  eta <- drop(x %*% b[1:3])
  above <- dlogis(cuts[y + 1] - eta)
  below <- dlogis(cuts[y] - eta)
  weight <- weights(design) / (plogis(cuts[y + 1] - eta) - plogis(cuts[y] - eta))
  colSums(weight * cbind(x * (below - above), sapply(1:2, function(cut) above * (y == cut) - below * (y - 1 == cut))))
}
olr <- function(design) {
  fit_from <- function(start, steps) svyolr(amount ~ treated + sex + age, design, start = start,
    control = list(reltol = 1e-15, maxit = steps, ndeps = c(2e-5, 2e-5, 1e-6, 2e-5, 2e-5)))
  inside <- function(b) c(b[1:4], log(b[5] - b[4]))
  b <- local({
    fit <- svyolr(amount ~ treated + sex + age, design)
    c(fit$coefficients, fit$zeta)
  })
  for (again in 1:4) {
    fit <- fit_from(inside(b), 0)
    b <- b + solve(fit$Hessian, slope_of(design, b))
  }
  fit <- fit_from(inside(b), 0)
  list(term = names(b), estimate = plain(b), se = plain(sqrt(diag(vcov(fit)))),
       df_terms = fit$df.residual, df_design = degf(design), deviance = fit$deviance)
}
for (policy in c("remove", "adjust", "average")) {
  options(survey.lonely.psu = policy)
  ordinal[[policy]] <- lapply(parts, olr)
}
options(survey.lonely.psu = "adjust")

# Multinomial: `survey` has none. nnet's fit, finished by Newton's method here, and the sandwich through svyrecvar.
multinomial_of <- function(design) {
  data <- model.frame(design)
  data$w <- weights(design) / mean(weights(design))
  x <- model.matrix(~ treated + sex + age, data)
  y <- outer(as.integer(data$amount), 2:3, "==") + 0
  b <- t(coef(nnet::multinom(amount ~ treated + sex + age, data, weights = w, trace = FALSE, reltol = 1e-14)))
  score <- information <- NULL
  for (step in 1:8) {
    e <- exp(x %*% b)
    p <- e / (1 + rowSums(e))
    score <- do.call(cbind, lapply(1:2, function(j) x * (data$w * (y[, j] - p[, j]))))
    block <- function(j, l) crossprod(x, x * (data$w * p[, j] * ((j == l) - p[, l])))
    information <- rbind(cbind(block(1, 1), block(1, 2)), cbind(block(2, 1), block(2, 2)))
    b <- b + matrix(solve(information, colSums(score)), ncol(x))
  }
  v <- svyrecvar(score %*% solve(information), design$cluster, design$strata, design$fpc)
  list(term = c(paste("some", colnames(x)), paste("many", colnames(x))), estimate = plain(b), se = plain(sqrt(diag(v))),
       df_design = degf(design))
}
multinomial <- lapply(parts, multinomial_of)

# Margins. svypredmeans adds two variances as though they were unrelated; `parts` has both.
predmeans <- lapply(parts, function(design) sapply(c("linear", "logistic", "poisson", "complementary-log-log"), function(name) {
  y <- all.vars(formulas[[name]])[1]
  formula <- as.formula(paste(y, "~ age + sex + sqrt(visits)"))
  assign("a_formula", formula, globalenv())
  assign("a_family", kinds[[name]], globalenv())
  assign("a_design", design, globalenv())
  fit <- eval(quote(svyglm(a_formula, a_design, family = a_family, control = exact)), globalenv())
  fit$call$formula <- formula
  found <- svypredmeans(fit, ~treated, predictat = c(0, 1))
  v <- attr(found, "var")
  both <- attr(v, "parts")
  list(mean = plain(coef(found)), independent = plain(sqrt(diag(v))), fixed = plain(sqrt(diag(both[[1]]))),
       fixed_difference = plain(sqrt(c(-1, 1) %*% both[[1]] %*% c(-1, 1))))
}, simplify = FALSE))

# With the covariates sampled, by brute force: the weights of one PSU at a time are moved by a hair, the model is fitted
# again, and the slopes, which are the PSU totals of the influence functions, go through svytotal.
margins <- function(name) function(weight) {
  data <- people
  data$w <- weight / mean(weight[weight > 0])
  data <- data[data$w > 0, ]
  y <- all.vars(formulas[[name]])[1]
  formula <- as.formula(paste(y, "~ treated * sex + age"))
  environment(formula) <- environment()
  start <- if (name == "log-binomial") c(log(weighted.mean(data$event, data$w)), 0, 0, 0, 0) else NULL
  once <- function(start) suppressWarnings(glm(formula, kinds[[name]], data, weights = w, control = exact, start = start))
  fit <- once(start)
  if (name %in% c("log-binomial", "complementary-log-log")) for (again in 1:25) fit <- once(coef(fit))
  risk <- sapply(c(0, 1), function(arm) {
    weighted.mean(predict(fit, transform(data, treated = arm), type = "response"), data$w)
  })
  eta <- predict(fit, data)
  slope <- weighted.mean(kinds[[name]]$mu.eta(eta) * coef(fit)["age"], data$w)
  c(untreated = risk[1], treated = risk[2], difference = risk[2] - risk[1], log_ratio = log(risk[2] / risk[1]), slope = slope)
}
linearised <- function(statistic, part) {
  units <- unique(people[c("stratum", "psu")])
  base <- people$weight * part
  slope <- function(unit, h) {
    there <- people$stratum == units$stratum[unit] & people$psu == units$psu[unit]
    (statistic(ifelse(there, base * (1 + h), base)) - statistic(ifelse(there, base * (1 - h), base))) / (2 * h)
  }
  # Extrapolated from three step sizes, so that the error is of the sixth order.
  totals <- t(sapply(seq_len(nrow(units)), function(unit) {
    one <- slope(unit, 2e-3); two <- slope(unit, 4e-3); four <- slope(unit, 8e-3)
    (64 * one - 20 * two + four) / 45
  }))
  colnames(totals) <- names(statistic(base))
  design <- svydesign(~psu, strata = ~stratum, weights = ~1, data = cbind(units, totals), nest = TRUE)
  found <- svytotal(as.formula(paste("~", paste(colnames(totals), collapse = "+"))), design)
  list(name = colnames(totals), estimate = plain(statistic(base)), se = plain(SE(found)))
}
sampled <- lapply(list(everyone = 1, domain = people$domain), function(part) {
  sapply(c("linear", "logistic", "poisson", "log-binomial", "complementary-log-log"), function(name) {
    linearised(margins(name), part)
  }, simplify = FALSE)
})

# The jackknife, without the lonely strata, which it has no policy for; each replicate is fitted to the last digit.
jackknife <- as.svrepdesign(of(subset(people, stratum <= 14)), type = "JKn")
replicated <- lapply(list(everyone = jackknife, domain = subset(jackknife, domain == 1)), function(design) {
  sapply(c("linear", "logistic", "poisson", "log-binomial"), function(name) {
    found <- withReplicates(design, function(weight, data) {
      data$w <- weight / mean(weight[weight > 0])
      data <- data[data$w > 0, ]
      y <- all.vars(formulas[[name]])[1]
      formula <- as.formula(paste(y, "~ treated * sex + age"))
      environment(formula) <- environment()
      start <- if (name == "log-binomial") c(log(weighted.mean(data$event, data$w)), 0, 0, 0, 0) else NULL
      once <- function(start) suppressWarnings(glm(formula, kinds[[name]], data, weights = w, control = exact, start = start))
      fit <- once(start)
      if (name == "log-binomial") for (again in 1:25) fit <- once(coef(fit))
      risk <- sapply(c(0, 1), function(arm) {
        weighted.mean(predict(fit, transform(data, treated = arm), type = "response"), data$w)
      })
      c(coef(fit), risk)
    })
    list(estimate = plain(coef(found)), se = plain(SE(found)), df = degf(design))
  }, simplify = FALSE)
})

# A writer of its own, so that R needs no package but those it comes with and `survey`.
json <- function(x, indent = "") {
  more <- paste0(indent, "  ")
  if (is.list(x)) {
    inner <- vapply(names(x), function(name) paste0(more, '"', name, '": ', json(x[[name]], more)), "")
    return(paste0("{\n", paste(inner, collapse = ",\n"), "\n", indent, "}"))
  }
  if (is.matrix(x)) return(paste0("[", paste(apply(x, 1, json), collapse = ", "), "]"))
  one <- if (is.character(x)) paste0('"', x, '"') else formatC(unclass(x), digits = 17, format = "g")
  if (length(one) == 1 && !inherits(x, "AsIs")) one else paste0("[", paste(one, collapse = ", "), "]")
}
versions <- list(R = as.character(getRversion()), survey = as.character(packageVersion("survey")),
                 nnet = as.character(packageVersion("nnet")))
writeLines(json(list(versions = versions, models = models, tests = tests, mixtures = mixtures, ordinal = ordinal,
                     multinomial = multinomial, predmeans = predmeans, sampled = sampled,
                     replicated = replicated)), "regression.json")
