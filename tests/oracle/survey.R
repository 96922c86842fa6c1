# Reference numbers from R's `survey` for tests/test_design.py, test_regression.py and test_estimate.py.
# Run in this folder: Rscript survey.R. It reads people.csv and writes survey.json. The tests need only the JSON.

suppressMessages(library(survey))
options(digits = 17)
source("json.R")
people <- read.csv("people.csv")
people$sex <- factor(people$sex)
exact <- glm.control(epsilon = 1e-15, maxit = 100)
of <- function(data) svydesign(~psu, strata = ~stratum, weights = ~weight, data = data, nest = TRUE)

plain <- function(x) unname(as.numeric(x))
figure <- function(m) list(estimate = plain(coef(m)), se = plain(SE(m)))
share <- function(design, method) {
  p <- svyciprop(~event, design, method = method)
  list(estimate = plain(coef(p)), low = plain(confint(p)[1]), high = plain(confint(p)[2]))
}

# Means, totals, ratios and shares, by lonely policy, for everyone and for the domain.
summaries <- function(design) list(
  mean = figure(svymean(~cost, design)),
  total = figure(svytotal(~cost, design)),
  ratio = figure(svyratio(~cost, ~age, design)),
  proportion = figure(svymean(~event, design)),
  people = nrow(design),
  df = degf(design)
)
policies <- list()
for (policy in c("remove", "adjust", "average", "certainty")) {
  options(survey.lonely.psu = policy)
  whole <- of(people)
  policies[[policy]] <- list(everyone = summaries(whole), domain = summaries(subset(whole, domain == 1)))
}
options(survey.lonely.psu = "fail")
refused <- inherits(try(svymean(~cost, of(people)), silent = TRUE), "try-error")

options(survey.lonely.psu = "adjust")
whole <- of(people)
inside <- subset(whole, domain == 1)
intervals <- list(
  everyone = list(beta = share(whole, "beta"), logit = share(whole, "logit")),
  domain = list(beta = share(inside, "beta"), logit = share(inside, "logit"))
)
simple <- svydesign(~1, weights = ~weight, data = people)
stratified <- svydesign(~1, strata = ~stratum, weights = ~weight, data = people)
clustered <- svydesign(~interaction(stratum, psu), weights = ~weight, data = people)
others <- list(simple = summaries(simple), stratified = summaries(stratified), clustered = summaries(clustered))

# Regressions.
model <- function(design, policy) {
  options(survey.lonely.psu = policy)
  fit <- svyglm(event ~ treated + age + sex + sqrt(visits), design, family = quasibinomial(), control = exact)
  list(term = names(coef(fit)), estimate = plain(coef(fit)), se = plain(SE(fit)), df = fit$df.residual,
       covariance = unname(vcov(fit)))
}
regressions <- list()
for (policy in c("remove", "adjust", "average")) regressions[[policy]] <-
  list(everyone = model(whole, policy), domain = model(inside, policy))
options(survey.lonely.psu = "adjust")

risks <- c("weighting", "treated", "untreated", "unadjusted", "standardisation", "overlap", "truncated", "entropy",
           "byarm", "augmented", "targeted")
# Trials: treatment, loss and outcome models, and risks, on full weights and on each replicate.
confounders <- ~ age + sex + sqrt(visits)
trial <- function(weight, data) {
  data$w <- weight / mean(weight[weight > 0])
  data <- data[data$w > 0, ]
  fit <- function(formula, part, weights) {
    part$w <- weights
    suppressWarnings(glm(formula, quasibinomial(), part, weights = w, control = exact))
  }
  e <- fitted(fit(update(confounders, treated ~ .), data, data$w))
  r <- fitted(fit(update(confounders, followed ~ treated + .), data, data$w))
  h <- ifelse(data$treated == 1, 1 / e, 1 / (1 - e))
  seen <- data$followed == 1
  risk <- function(w, arm) sum((w * data$event)[seen & data$treated == arm]) / sum(w[seen & data$treated == arm])
  odds <- ifelse(data$treated == 1, 1, e / (1 - e))
  outcome <- fit(update(confounders, event ~ treated + .), data[seen, ], (data$w / r)[seen])
  predicted <- function(arm) {
    p <- predict(outcome, transform(data, treated = arm), type = "response")
    sum(data$w * p) / sum(data$w)
  }
  # The arms of the further estimators: weights cut at each arm's 5th and 95th percentile (the n-th of the sorted),
  # towards the overlap, and calibrated to the means of everyone by exponential tilting, which is survey's raking.
  cut <- function(own, arm) {
    sorted <- sort(own[data$treated == arm])
    n <- length(sorted); k <- floor(0.05 * n)
    pmin(pmax(own, sorted[k + 1]), sorted[n - k])
  }
  raked <- function(arm) {
    mine <- data[data$treated == arm, ]
    totals <- colSums(data$w * model.matrix(confounders, data))
    design <- svydesign(~1, weights = ~w, data = mine)
    made <- calibrate(design, confounders, totals, calfun = "raking", epsilon = 1e-13, maxit = 200)
    w <- numeric(nrow(data)); w[data$treated == arm] <- weights(made); w
  }
  model_of <- function(arm) {
    mine <- seen & data$treated == arm
    fit(update(confounders, event ~ .), data[mine, ], (data$w / r)[mine])
  }
  by_arm <- lapply(c(1, 0), function(arm) predict(model_of(arm), data, type = "link"))
  mean_of <- function(p) sum(data$w * p) / sum(data$w)
  augmented <- function(arm) {
    p <- plogis(by_arm[[2 - arm]])
    w <- (data$w * h / r) * (seen & data$treated == arm)
    mean_of(p) + sum((w * (data$event - p))[w > 0]) / sum(w)
  }
  moved <- function(arm) {
    mine <- seen & data$treated == arm
    part <- data.frame(y = data$event[mine], o = by_arm[[2 - arm]][mine], w = (data$w * h / r)[mine])
    epsilon <- coef(suppressWarnings(glm(y ~ 1, quasibinomial(), part, weights = w, offset = o, control = exact)))
    mean_of(plogis(by_arm[[2 - arm]] + epsilon))
  }
  other <- ifelse(data$treated == 1, 1 - e, e)
  back <- ifelse(data$treated == 1, (1 - e) / e, 1)
  further <- c(overlap_treated = risk(data$w * other / r, 1), overlap_untreated = risk(data$w * other / r, 0),
    untreated_treated = risk(data$w * back / r, 1), untreated_untreated = risk(data$w * back / r, 0),
    truncated_treated = risk(data$w * cut(h, 1) / r, 1), truncated_untreated = risk(data$w * cut(h, 0) / r, 0),
    entropy_treated = risk(raked(1) / r, 1), entropy_untreated = risk(raked(0) / r, 0),
    byarm_treated = mean_of(plogis(by_arm[[1]])), byarm_untreated = mean_of(plogis(by_arm[[2]])),
    augmented_treated = augmented(1), augmented_untreated = augmented(0),
    targeted_treated = moved(1), targeted_untreated = moved(0))
  c(further, weighting_treated = risk(data$w * h / r, 1), weighting_untreated = risk(data$w * h / r, 0),
    treated_treated = risk(data$w * odds / r, 1), treated_untreated = risk(data$w * odds / r, 0),
    unadjusted_treated = risk(data$w, 1), unadjusted_untreated = risk(data$w, 0),
    standardisation_treated = predicted(1), standardisation_untreated = predicted(0),
    logistic = plain(coef(outcome)["treated"]))
}
estimates <- function(design) {
  replicates <- as.svrepdesign(design, type = "JKn")
  found <- withReplicates(replicates, trial)
  v <- vcov(found)
  contrast <- function(name) {
    pair <- paste(name, c("treated", "untreated"), sep = "_")
    list(risk = plain(coef(found)[pair]), se = plain(sqrt(diag(v)[pair])),
         difference = plain(coef(found)[pair] %*% c(1, -1)),
         difference_se = plain(sqrt(c(1, -1) %*% v[pair, pair] %*% c(1, -1))))
  }
  c(lapply(setNames(nm = risks), contrast), list(
       logistic = list(estimate = plain(coef(found)["logistic"]), se = plain(sqrt(v["logistic", "logistic"]))),
       replicates = ncol(weights(replicates))))
}
# The jackknife has no policy for strata of one PSU: they are left out.
trials <- estimates(of(subset(people, stratum <= 14)))

# The linearised standard errors by brute force: the weights of one PSU at a time are moved by a hair, every model is
# fitted again, and the slopes, which are the PSU totals of the influence functions, go through svytotal. Slopes are
# extrapolated from two step sizes, so that the error is of the fourth order. PSUs without people in the part add zero.
linearised <- function(statistic, part) {
  units <- unique(people[c("stratum", "psu")])
  base <- people$weight * part
  slope <- function(unit, h) {
    there <- people$stratum == units$stratum[unit] & people$psu == units$psu[unit]
    up <- statistic(ifelse(there, base * (1 + h), base), people)
    down <- statistic(ifelse(there, base * (1 - h), base), people)
    (up - down) / (2 * h)
  }
  totals <- t(sapply(seq_len(nrow(units)), function(unit) (4 * slope(unit, 5e-4) - slope(unit, 1e-3)) / 3))
  design <- svydesign(~psu, strata = ~stratum, weights = ~1, data = cbind(units, totals), nest = TRUE)
  found <- svytotal(as.formula(paste("~", paste(colnames(totals), collapse = "+"))), design)
  list(name = colnames(totals), estimate = plain(statistic(base, people)), se = plain(SE(found)))
}
contrasts_of <- function(weight, data) {
  found <- trial(weight, data)
  logit <- function(p) log(p / (1 - p))
  for (name in risks) {
    pair <- found[paste(name, c("treated", "untreated"), sep = "_")]
    more <- c(pair[1] - pair[2], log(pair[1] / pair[2]), logit(pair[1]) - logit(pair[2]))
    found <- c(found, setNames(more, paste(name, c("difference", "log_ratio", "log_odds_ratio"), sep = "_")))
  }
  found
}
people$visited <- cut(people$visits, c(-Inf, 1, 3, Inf), c("few", "some", "many"))
groups_of <- function(weight, data) {
  data$w <- weight / mean(weight[weight > 0])
  data <- data[data$w > 0, ]
  fit <- suppressWarnings(glm(event ~ visited + age + sex, quasibinomial(), data, weights = w, control = exact))
  risk <- sapply(levels(data$visited), function(level) {
    p <- predict(fit, transform(data, visited = factor(level, levels(data$visited))), type = "response")
    sum(data$w * p) / sum(data$w)
  })
  c(few = risk[["few"]], some = risk[["some"]], many = risk[["many"]],
    some_difference = risk[["some"]] - risk[["few"]], many_difference = risk[["many"]] - risk[["few"]],
    some_log_ratio = log(risk[["some"]] / risk[["few"]]), many_log_ratio = log(risk[["many"]] / risk[["few"]]),
    some_log_odds_ratio = plain(coef(fit)["visitedsome"]), many_log_odds_ratio = plain(coef(fit)["visitedmany"]))
}
linear <- list(
  trial_everyone = linearised(contrasts_of, 1),
  trial_domain = linearised(contrasts_of, people$domain),
  association_domain = linearised(groups_of, people$domain)
)
whole <- of(people)
prevalence <- lapply(setNames(nm = levels(people$visited)), function(level) {
  inside <- subset(whole, domain == 1 & visited == level)
  c(figure(svymean(~event, inside)), list(people = nrow(inside), df = degf(inside)))
})

results <- list(
  versions = list(R = as.character(getRversion()), survey = as.character(packageVersion("survey"))),
  policies = policies, refused = refused, intervals = intervals, others = others, regressions = regressions,
  trials = trials, linear = linear, prevalence = prevalence
)
write_json(results, "survey.json")
