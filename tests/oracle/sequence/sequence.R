# Reference numbers for trials in sequence: expansion row by row, weights by cumprod, pooled glm, standardised curves.
# Run in this folder: Rscript sequence.R

suppressPackageStartupMessages({library(survey); library(sandwich)})
source("../json.R")

people <- read.csv("people.csv")
periods <- read.csv("periods.csv")
people$weight1 <- people$weight / mean(people$weight)
exact <- glm.control(epsilon = 1e-300, maxit = 60)
own <- function(id, weight) weight[match(id, people$id)]
fit <- function(formula, data, w) {
  data$w <- w
  environment(formula) <- environment()
  suppressWarnings(glm(formula, quasibinomial(), data, weights = w, control = exact))
}
plain <- function(x) unname(c(x))

periods <- periods[order(periods$id, periods$period), ]
periods$row <- seq_len(nrow(periods))
same <- c(FALSE, periods$id[-1] == periods$id[-nrow(periods)])
periods$prior <- ifelse(same, c(0, periods$treated[-nrow(periods)]), 0)
last <- tapply(periods$row, periods$id, max)

# The expanded data, a person-trial at a time. Arms are given; `keep` says from treatments which rows follow the strategy.
expanded <- function(arms, keep) {
  parts <- lapply(which(periods$eligible == 1), function(i) {
    rows <- i:last[[as.character(periods$id[i])]]
    a <- periods$treated[rows]
    do.call(rbind, lapply(arms(a), function(arm) {
      n <- keep(a, arm)
      if (n == 0) return(NULL)
      inside <- rows[seq_len(n)]
      data.frame(id = periods$id[i], trial = periods$period[i], follow_up = seq_len(n) - 1, arm = arm, row = inside,
                 start = i, event = periods$event[inside], death = periods$death[inside],
                 treated = periods$treated[inside], prior = periods$prior[inside],
                 sex = periods$sex[i], age = periods$age[i], low0 = periods$low[i])
    }))
  })
  do.call(rbind, parts)
}
while_true <- function(ok) if (all(ok)) length(ok) else which(!ok)[1] - 1
observed <- function(a) a[1]
initiation <- expanded(observed, function(a, arm) length(a))
sustained <- expanded(observed, function(a, arm) while_true(a == arm))
grace <- 2
# Treated arm: not begun is allowed before the last period of grace; once begun it goes on.
cloned <- expanded(function(a) c(0, 1), function(a, arm) {
  if (arm == 0) return(while_true(a == 0))
  begun <- cumsum(a) > 0
  while_true(a == 1 | (!begun & seq_along(a) - 1 < grace))
})

# Weights of person-periods: treatment by prior treatment, loss among those still at risk of it.
chance <- function(w, what, denominator, numerator, among, outcome) {
  data <- periods[among, ]
  data$y <- outcome[among]
  of <- function(formula) {
    p <- fitted(fit(formula, data, w[among]))
    ifelse(data$y == 1, p, 1 - p)
  }
  ratio <- rep(1, nrow(periods)); below <- ratio
  below[among] <- of(denominator)
  ratio[among] <- (if (is.null(numerator)) 1 else of(numerator)) / below[among]
  list(ratio = ratio, below = below)
}
at_risk <- which(periods$event == 0 & periods$death == 0 & periods$period < max(periods$period))
weights_of <- function(w, data, kind) {
  # Nothing is known from before the first period, so it does not say how treatment is begun.
  full <- y ~ sex + age + low + period + I(period^2)
  some <- y ~ sex + age + period + I(period^2)
  stay <- 1 - periods$lost
  untreated <- chance(w, "d", full, some, which(periods$prior == 0 & same), periods$treated)
  treated <- chance(w, "d", full, some, which(periods$prior == 1), periods$treated)
  deviation <- untreated$ratio * treated$ratio
  below <- untreated$below * treated$below
  loss <- chance(w, "l", update(full, . ~ . + treated),
                 if (kind == "sustained") update(some, . ~ . + treated) else some, at_risk, stay)$ratio
  factor <- rep(1, nrow(data))
  later <- data$follow_up > 0
  if (kind == "sustained") factor[later] <- deviation[data$row[later]]
  if (kind == "grace") {
    factor <- ifelse(data$arm == 0, ifelse(later, deviation[data$row], 1),
      ifelse(later & data$prior == 1, 1 / below[data$row],
        # Not begun before: the choice counts in the last period of grace only.
        ifelse(later & data$follow_up == grace & data$prior == 0, 1 / below[data$row], 1)))
  }
  # Loss after the period before.
  factor <- factor * ifelse(later, loss[pmax(data$row - 1, 1)], 1)
  ave(factor, data$start, data$arm, FUN = cumprod)
}
cut_at <- function(weight, shares) {
  ends <- quantile(weight, shares, type = 1)
  pmin(pmax(weight, ends[1]), ends[2])
}

hazard <- event ~ sex + age + low0 + trial + I(trial^2) + follow_up + I(follow_up^2) + arm + arm:follow_up
constant <- update(hazard, . ~ . - arm:follow_up)
estimate <- function(w_people, data, kind, shares = NULL) {
  weight <- weights_of(own(periods$id, w_people), data, kind)
  if (!is.null(shares)) weight <- cut_at(weight, shares)
  total <- weight * own(data$id, w_people)
  alive <- data$death == 0
  event <- fit(hazard, data[alive, ], total[alive])
  death <- fit(update(hazard, death ~ .), data, total)
  ratio <- fit(constant, data[alive, ], total[alive])
  zero <- data[data$follow_up == 0 & (kind != "grace" | data$arm == 1), ]
  share <- own(zero$id, w_people)
  K <- max(data$follow_up)
  risk <- lapply(0:1, function(arm) {
    free <- 1; reached <- 0
    sapply(0:K, function(k) {
      zero$arm <- arm; zero$follow_up <- k
      h <- predict(event, zero, type = "response"); d <- predict(death, zero, type = "response")
      reached <<- reached + free * (1 - d) * h
      free <<- free * (1 - d) * (1 - h)
      sum(share * reached) / sum(share)
    })
  })
  list(weight = weight, event = coef(event), death = coef(death), ratio = coef(ratio)[["arm"]],
       risk0 = risk[[1]], risk1 = risk[[2]])
}
vector <- function(found) plain(c(found$risk0, found$risk1, found$event, found$death, found$ratio))

# The design's variance by brute force: the weights of one PSU at a time moved by a hair, everything fitted again.
se_of <- function(data, kind, shares = NULL) {
  unit <- interaction(people$stratum, people$psu, drop = TRUE)
  hair <- 1e-4
  totals <- t(sapply(levels(unit), function(level) {
    moved <- function(by) vector(estimate(people$weight1 * ifelse(unit == level, 1 + by, 1), data, kind, shares))
    (moved(hair) - moved(-hair)) / (2 * hair)
  }))
  stratum <- sapply(levels(unit), function(level) people$stratum[unit == level][1])
  variance <- 0
  for (h in unique(stratum)) {
    part <- scale(totals[stratum == h, ], scale = FALSE)
    variance <- variance + colSums(part^2) * nrow(part) / (nrow(part) - 1)
  }
  sqrt(variance)
}
told <- function(data, kind, shares = NULL) {
  found <- estimate(people$weight1, data, kind, shares)
  # Every fifth weight, and what all add up to.
  list(rows = nrow(data), weight = found$weight[seq(1, nrow(data), 5)], total = sum(found$weight), estimate = vector(found), se = plain(se_of(data, kind, shares)))
}

# Without weights of its own: svyglm on the expanded rows, and the sandwich clustered by person without a survey.
rows <- initiation[initiation$death == 0, ]
cluster <- glm(hazard, binomial(), rows, control = exact)
# Clusters are everyone in the sample, also those whose only row is left out because they died in it.
sandwich <- vcovCL(cluster, cluster = rows$id, type = "HC0", cadjust = FALSE) * nrow(people) / (nrow(people) - 1)
joined <- merge(rows, people, by = "id")
design <- svydesign(~psu, strata = ~stratum, weights = ~weight1, data = joined, nest = TRUE)
surveyed <- suppressWarnings(svyglm(hazard, design, family = quasibinomial(), control = exact))

write_json(list(
  versions = list(R = as.character(getRversion()), survey = as.character(packageVersion("survey")),
                  sandwich = as.character(packageVersion("sandwich"))),
  clustered = list(estimate = plain(coef(cluster)), se = plain(sqrt(diag(sandwich))),
                   naive = plain(summary(cluster)$coefficients[, 2])),
  surveyed = list(estimate = plain(coef(surveyed)), se = plain(SE(surveyed))),
  initiation = told(initiation, "initiation"),
  sustained = told(sustained, "sustained"),
  truncated = told(sustained, "sustained", c(0.02, 0.97)),
  grace = told(cloned, "grace")
), "sequence.json")
