# Reference numbers from R's `survey` for tests/test_survey_designs.py: stages and finite populations, replicate
# weights, quantiles, differences, standardisation, design effects and Rao-Scott.
# Run in this folder: Rscript designs.R. It reads people.csv, pairs.csv, stages.csv and writes designs.json and the
# Hadamard matrix and bootstrap factors that it used, hadamard.csv and factors.csv.

suppressMessages(library(survey))
options(digits = 17)
source("json.R")
plain <- function(x) unname(as.numeric(x))
figure <- function(m) list(estimate = plain(coef(m)), se = plain(SE(m)))
pairs <- read.csv("pairs.csv")
people <- read.csv("people.csv")
stages <- read.csv("stages.csv")
for (name in c("ages", "region")) pairs[[name]] <- factor(pairs[[name]])
linear <- svydesign(~psu, strata = ~stratum, weights = ~weight, data = pairs, nest = TRUE)
exact <- glm.control(epsilon = 1e-15, maxit = 100)

# One stage with populations, and three stages with them.
one <- svydesign(~school, strata = ~stratum, fpc = ~schools, weights = ~weight, data = stages)
three <- svydesign(~school + room + pupil, strata = ~stratum, fpc = ~schools + rooms + pupils, weights = ~weight, data = stages)
staged <- function(design) list(
  mean = figure(svymean(~score, design)), total = figure(svytotal(~score, design)),
  domain = figure(svymean(~score, subset(design, domain == 1))), df = degf(design)
)

# Replicates: estimates under each kind, everyone and domain.
signs <- 2 * survey:::hadamard(11) - 1
write.table(signs, "hadamard.csv", sep = ",", row.names = FALSE, col.names = FALSE)
set.seed(7)
sub <- as.svrepdesign(linear, type = "subbootstrap", replicates = 40)
write.table(unname(sub$repweights$weights), "factors.csv", sep = ",", row.names = FALSE, col.names = FALSE)
kinds <- list(
  brr = as.svrepdesign(linear, type = "BRR", hadamard.matrix = signs),
  fay = as.svrepdesign(linear, type = "Fay", fay.rho = 0.3, hadamard.matrix = signs),
  jkn = as.svrepdesign(linear, type = "JKn"),
  jk1 = as.svrepdesign(svydesign(~unit, weights = ~weight, data = transform(pairs, unit = stratum * 10 + psu)), type = "JK1"),
  bootstrap = sub
)
mse <- as.svrepdesign(linear, type = "JKn", mse = TRUE)
fpc_one <- as.svrepdesign(one, type = "JKn")
of_replicates <- function(design) {
  inside <- subset(design, domain == 1)
  lapply(list(everyone = design, domain = inside), function(d) list(
    mean = figure(svymean(~cost, d)), total = figure(svytotal(~cost, d)), ratio = figure(svyratio(~cost, ~age, d)),
    event = figure(svymean(~event, d)), df = degf(d),
    logistic = figure(svyglm(event ~ age + region, d, family = quasibinomial, control = exact)),
    rao_scott = unname(c(svychisq(~event + region, d)$statistic, svychisq(~event + region, d)$parameter))
  ))
}
lonely <- lapply(setNames(nm = c("adjust", "average", "remove")), function(policy) {
  options(survey.lonely.psu = policy)
  design <- as.svrepdesign(svydesign(~psu, strata = ~stratum, weights = ~weight, data = people, nest = TRUE), type = "JKn")
  c(figure(svymean(~cost, design)), list(df = degf(design)))
})
options(survey.lonely.psu = "adjust")

# Quantiles by rule and by interval; the last on half-samples.
probs <- c(0.1, 0.25, 0.5, 0.9)
quantile_of <- function(design, ..., of = ~cost) {
  found <- svyquantile(of, design, probs, ...)[[1]]
  list(estimate = plain(found[, 1]), low = plain(found[, 2]), high = plain(found[, 3]), se = plain(found[, 4]))
}
rules <- c("math", "school", "hf4", "hf5", "hf6", "hf7", "hf8", "hf9")
quantiles <- list(
  rules = lapply(setNames(nm = rules), function(rule) quantile_of(linear, qrule = rule, of = ~amount)),
  tied = quantile_of(linear), tied_school = quantile_of(linear, qrule = "school"),
  domain = quantile_of(subset(linear, domain == 1), qrule = "hf7", of = ~amount),
  logit = quantile_of(linear, interval.type = "xlogit"), beta = quantile_of(linear, interval.type = "beta"),
  replicates = quantile_of(kinds$brr, interval.type = "quantile"), woodruff_brr = quantile_of(kinds$brr)
)

# Domains: all at once, their difference, a standard population, design effects, shares of a category.
by <- svyby(~event, ~region, linear, svymean, covmat = TRUE)
inside <- subset(linear, domain == 1)
by_age <- svyby(~event, ~ages, inside, svymean, covmat = TRUE)
standard <- c(0.4, 0.35, 0.25)
effects <- svymean(~cost + event, linear, deff = "replace")
inside_effects <- svymean(~cost + event, inside, deff = "replace")
shares <- svymean(~region, inside)
tests <- function(design) {
  f <- svychisq(~event + region, design)
  first <- svychisq(~event + region, design, statistic = "Chisq")
  list(statistic = plain(f$statistic), ndf = plain(f$parameter[1]), ddf = plain(f$parameter[2]), p = plain(f$p.value),
       first = plain(first$statistic), first_df = plain(first$parameter), first_p = plain(first$p.value))
}
write_json(list(
  versions = list(R = as.character(getRversion()), survey = as.character(packageVersion("survey"))),
  one = staged(one), three = staged(three),
  replicates = lapply(kinds, of_replicates), mse = figure(svyratio(~cost, ~age, mse)), lonely = lonely,
  fpc = figure(svymean(~score, fpc_one)),
  quantiles = quantiles,
  region = list(estimate = plain(coef(by)), se = plain(SE(by)), covariance = unname(vcov(by))),
  difference = figure(svycontrast(by, c(north = 1, south = 0, west = -1))),
  standardised = figure(svycontrast(by_age, setNames(standard, names(coef(by_age))))),
  standardize = figure(svymean(~event, svystandardize(inside, by = ~ages, population = standard))),
  effects = list(everyone = plain(deff(effects)), domain = plain(deff(inside_effects))),
  shares = figure(shares),
  rao_scott = list(everyone = tests(linear), domain = tests(inside))
), "designs.json")
