# Reference numbers for tests/test_sensitivity.py. Run in this folder: Rscript sensitivity.R.
# It reads people.csv, which make_data.py writes, and writes sensitivity.json. The E-values and corrections are the
# papers' formulas written out; the errors of sampling are those of `survey`.

suppressMessages(library(survey))
options(digits = 17, survey.lonely.psu = "adjust")
source("../json.R")
plain <- function(x) unname(as.numeric(x))

# E-values (VanderWeele and Ding 2017, table 2).
e <- function(rr) { rr <- ifelse(rr < 1, 1 / rr, rr); rr + sqrt(rr * (rr - 1)) }
hazard <- function(hr) (1 - 0.5^sqrt(hr)) / (1 - 0.5^sqrt(1 / hr))
ratios <- list(
  risk = e(c(0.80, 0.91)), risk_true = e(c(0.80, 0.91) / 1.2),
  odds_common = e(sqrt(c(0.86, 0.99))), odds_true = e(sqrt(c(0.86, 0.99) / 1.5)),
  hazard_common = e(hazard(c(0.56, 0.69))), hazard_true = e(hazard(c(0.56, 0.69)) / hazard(0.9)),
  d = e(exp(c(0.91 * 0.42, 0.91 * 0.42 - 1.78 * 0.13))))

# The difference (Ding and VanderWeele 2016): both bias factors by searching, not by the closed form.
difference <- function(p1, p0, f, V, share, true, reach) {
  left <- function(B) (p1 - p0 * B) * (f + (1 - f) / B)
  end <- function(B) left(B) - reach * sqrt((V[1, 1] - 2 * B * V[1, 2] + B^2 * V[2, 2]) * (f + (1 - f) / B)^2 +
                                             (p1 - p0 * B)^2 * (1 - 1 / B)^2 * share^2)
  find <- function(g) { r <- uniroot(function(B) g(B) - true, c(1, 50), tol = 1e-15, maxiter = 10000)$root; r }
  c(find(left), find(end))
}
V <- matrix(c(0.0004, 0.00005, 0.00005, 0.0003), 2)
bf <- difference(0.31, 0.18, 0.37, V, 0.012, 0.02, qt(0.975, 77))
smoking <- { n1 <- 397 + 78557; n0 <- 51 + 108778; p1 <- 397 / n1; p0 <- 51 / n0; f <- n1 / (n1 + n0)
  difference(p1, p0, f, diag(c(p1 * (1 - p1) / n1, p0 * (1 - p0) / n0)), sqrt(f * (1 - f) / (n1 + n0)), 0, qnorm(0.975)) }

# Bias analysis with every parameter fixed: a weighted table, treatment by solving the two-by-two system that made it
# wrong, then the event, then selection, then the confounder by standardising its two strata.
people <- read.csv("people.csv")
seen <- people[people$lost == 0, ]
counts <- tapply(seen$weight, list(2 - seen$treated, 2 - seen$event), sum) # rows: treated, untreated; columns: event, none
wrong <- function(se, sp) matrix(c(se, 1 - se, 1 - sp, sp), 2)
true <- cbind(solve(wrong(0.90, 0.97), counts[, 1]), solve(wrong(0.85, 0.98), counts[, 2]))
answered <- rbind(solve(wrong(0.92, 0.99), true[1, ]), solve(wrong(0.88, 0.995), true[2, ]))
selected <- answered / matrix(c(0.9, 0.8, 0.7, 0.75), 2, byrow = TRUE)
risk <- selected[, 1] / rowSums(selected)
prevalence <- c(0.55, 0.35); rr <- 1.8
base <- risk / (prevalence * rr + 1 - prevalence) # risk without the confounder, in each arm
every <- sum(rowSums(selected) * prevalence) / sum(selected)
standard <- base * (every * rr + 1 - every)
bias <- list(table = plain(t(counts)), ratio = standard[1] / standard[2], difference = standard[1] - standard[2],
             misclassified = risk[1] / risk[2])

# Tipping: fill in the supposed risk of the lost and let `survey` find the contrast and its error.
design <- svydesign(~psu, strata = ~stratum, weights = ~weight, data = people, nest = TRUE)
contrast <- function(q1, q0, ratio) {
  people$filled <- ifelse(people$lost == 1, ifelse(people$treated == 1, q1, q0), people$event)
  now <- svydesign(~psu, strata = ~stratum, weights = ~weight, data = people, nest = TRUE)
  arms <- svyby(~filled, ~treated, now, svymean, covmat = TRUE)
  m <- coef(arms); W <- vcov(arms)
  g <- if (ratio) c(-1 / m[1], 1 / m[2]) else c(-1, 1)
  value <- if (ratio) log(m[2] / m[1]) else m[2] - m[1]
  plain(c(value, sqrt(t(g) %*% W %*% g), degf(now)))
}
tipping <- list(
  difference = contrast(0.6, 0.1, FALSE), ratio = contrast(0.6, 0.1, TRUE),
  all_none = contrast(1, 0, FALSE), none_all = contrast(0, 1, FALSE),
  # The risk of the untreated lost at which the interval's upper end reaches 0 when six in ten treated lost have the event.
  frontier = uniroot(function(q) { k <- contrast(0.6, q, FALSE); k[1] + qt(0.975, k[3]) * k[2] }, c(0, 1), tol = 1e-14)$root)
# The lost with twice the odds of the followed: slopes by hand, moved through svyratio's influence by svytotal.
followed <- subset(design, lost == 0)
p <- plain(coef(svyby(~event, ~treated, followed, svymean)))[2:1]
l <- plain(coef(svyby(~lost, ~treated, design, svymean)))[2:1]
odds <- function(p, d) d * p / (1 - p + d * p)
delta <- c(2, 0.5); full <- (1 - l) * p + l * odds(p, delta)
slope_p <- (1 - l) + l * delta / (1 - p + delta * p)^2; slope_l <- odds(p, delta) - p
inf <- 0
for (a in 1:2) {
  inarm <- people$treated == 2 - a; w <- people$weight
  stays <- inarm & people$lost == 0
  inf <- inf + c(1, -1)[a] * (slope_p[a] * stays * (people$event - p[a]) / sum(w[stays]) +
                                slope_l[a] * inarm * (people$lost - l[a]) / sum(w[inarm]))
}
tipping$odds <- plain(c(full[1] - full[2], SE(svytotal(~inf, update(design, inf = inf)))))

write_json(list(
  versions = list(R = as.character(getRversion()), survey = as.character(packageVersion("survey"))),
  ratios = ratios, factors = list(difference = bf, smoking = smoking), bias = bias, tipping = tipping),
  "sensitivity.json")
