# Reference numbers for effects through a mediator, for tests/test_mediate.py.
# Run in this folder: Rscript mediate.R (a minute). It writes mediate.json. The tests need only that and people.csv.
#
# R's packages have no such formula under a survey design, so nothing here is a closed form: the means are computed from
# glm and lm fits, the weights of one PSU at a time are moved by a hair with every model fitted again, and the slopes,
# which are the PSU totals of the influence functions, go through svytotal.

suppressPackageStartupMessages(library(survey))
options(digits = 17, survey.lonely.psu = "adjust", warn = -1)
source("../json.R")
people <- read.csv("people.csv")
exact <- glm.control(epsilon = 1e-15, maxit = 200)
known <- !is.na(people$at_risk)
counted <- known & people$at_risk == 1

# Gauss-Hermite nodes for a standard normal, from the eigenvalues of its recurrence (Golub and Welsch).
hermite <- function(n) {
  jacobi <- matrix(0, n, n)
  for (i in seq_len(n - 1)) jacobi[i, i + 1] <- jacobi[i + 1, i] <- sqrt(i)
  found <- eigen(jacobi, symmetric = TRUE)
  list(place = found$values, share = found$vectors[1, ]^2)
}
nodes <- hermite(20)
logistic <- function(formula, data) {
  environment(formula) <- environment()
  glm(formula, family = quasibinomial(), data = data, weights = w, control = exact)
}
chance <- function(model, data) unname(predict(model, data, type = "response"))
with_values <- function(data, ...) { more <- list(...); for (name in names(more)) data[[name]] <- more[[name]]; data }

means_under <- function(weight, way) {
  all <- with_values(people, w = weight / mean(weight), known = as.numeric(known))
  kept <- chance(logistic(known ~ treated + age + woman, all), all)
  data <- with_values(people, w = weight / mean(weight) / kept)[counted, ]
  data$m <- if (way == "score") data$score else data$remitted
  later <- way == "later"
  propensity <- chance(logistic(treated ~ age + woman, data), data)
  f_m <- m ~ treated + age + woman
  f_given <- if (later) m ~ treated + age + woman + visits else f_m
  f_y <- if (later) event ~ treated * m + age + woman + visits else event ~ treated * m + age + woman
  outcome <- logistic(f_y, data)
  fit_m <- function(formula) {
    environment(formula) <- environment()
    if (way == "score") lm(formula, data, weights = w) else logistic(formula, data)
  }
  alone <- fit_m(f_m); given <- fit_m(f_given)
  sigma <- function(model) sqrt(sum(data$w * residuals(model, type = "response")^2) / sum(data$w))
  density <- function(model, at) if (way == "score") dnorm(data$m, unname(predict(model, at)), sigma(model)) else {
    p <- chance(model, at); ifelse(data$m == 1, p, 1 - p)
  }
  average <- function(x) sum(data$w * x) / sum(data$w)
  risk <- function(arm, m) {
    if (!later) return(chance(outcome, with_values(data, treated = arm, m = m)))
    mine <- with_values(data, q = chance(outcome, with_values(data, treated = arm, m = m)))[data$treated == arm, ]
    chance(logistic(q ~ age + woman, mine), data)
  }
  standard <- function(arm, other) {
    at <- with_values(data, treated = other)
    if (way == "score") {
      centre <- unname(predict(alone, at))
      each <- mapply(function(place, share) average(share * risk(arm, centre + sigma(alone) * place)), nodes$place, nodes$share)
      return(sum(each))
    }
    p <- chance(alone, at)
    average(p * risk(arm, 1) + (1 - p) * risk(arm, 0))
  }
  weighed <- function(arm, other) {
    mine <- data$treated == arm
    own <- if (arm == 1) propensity else 1 - propensity
    weight <- data$w / own * density(alone, with_values(data, treated = other)) / density(given, data)
    sum((weight * data$event)[mine]) / sum(weight[mine])
  }
  c(standard(1, 1), standard(1, 0), standard(0, 0), weighed(1, 1), weighed(1, 0), weighed(0, 0))
}

unit <- interaction(people$stratum, people$psu, drop = TRUE)
slopes <- function(way) t(sapply(levels(unit), function(level) {
  mine <- unit == level
  by <- function(h) (means_under(people$weight * (1 + h * mine), way) - means_under(people$weight * (1 - h * mine), way)) / (2 * h)
  (4 * by(0.01) - by(0.02)) / 3
}))
covariance_of <- function(way) {
  total <- slopes(way)
  first <- people[match(levels(unit), unit), c("stratum", "psu")]
  design <- svydesign(~psu, strata = ~stratum, weights = ~one, nest = TRUE,
                      data = data.frame(first, one = 1, total))
  list(vcov = unname(vcov(svytotal(as.formula(paste("~", paste0("X", 1:6, collapse = "+"))), design))), df = degf(design))
}
design <- svydesign(~psu, strata = ~stratum, weights = ~weight, data = people, nest = TRUE)
jackknife <- as.svrepdesign(design, type = "JKn")
of <- function(way) {
  linear <- covariance_of(way)
  refitted <- withReplicates(jackknife, function(w, data) means_under(ifelse(w > 0, w, 1e-300), way))
  list(means = means_under(people$weight, way), covariance = linear$vcov, df = linear$df,
       jackknife = unname(vcov(refitted)))
}
# Four groups: shares of a domain of the survey.
four <- subset(with(list(), update(design, group = paste(treated, remitted))), counted)
shares <- svyby(~event, ~group, four, svymean)
limits <- sapply(shares$group, function(name) {
  one <- subset(four, group == name)
  c(confint(svyciprop(~event, one, method = "beta")), df = degf(one))
})
results <- list(
  versions = list(R = as.character(getRversion()), survey = as.character(packageVersion("survey"))),
  binary = of("binary"), later = of("later"), score = of("score"),
  four = list(group = shares$group, risk = shares$event, se = unname(SE(shares)), beta_low = unname(limits[1, ]),
              beta_high = unname(limits[2, ]), df = unname(limits[3, ]))
)
write_json(results, "mediate.json")
