# Reference numbers for tests/test_audit.py. Run in this folder: Rscript audit.R. It reads people.csv, writes audit.json.
# Standardised risks are means of predictions over the domain; their errors come from influence functions written out here
# (the model's and the averaging's) through svytotal. Average fractions are written as the mean over both orders.

suppressMessages(library(survey))
options(digits = 17, survey.lonely.psu = "adjust")
source("../json.R")

d <- read.csv("people.csv")
d$first <- as.numeric(d$score >= 6); d$second <- as.numeric(d$minutes > 0)
knots <- c(0, 600, 2400)
bend <- function(x) { p <- function(a) pmax(x - a, 0)^3
  (p(knots[1]) - p(knots[2]) * (knots[3] - knots[1]) / (knots[3] - knots[2]) +
     p(knots[3]) * (knots[2] - knots[1]) / (knots[3] - knots[2])) / (knots[3] - knots[1])^2 }
d$bend <- bend(d$minutes)
inside <- d$inside == 1
design <- function(data) svydesign(~psu, strata = ~stratum, weights = ~weight, data = data, nest = TRUE)

fitted_with <- function(formula, ways) {
  m <- svyglm(formula, subset(design(d), inside == 1), family = quasibinomial(), control = glm.control(epsilon = 1e-15, maxit = 100))
  y <- d[inside, ]; w <- y$weight; X <- model.matrix(m); mu <- fitted(m)
  spread <- ((X * (y$pain - mu)) %*% solve(t(X) %*% (X * (w * mu * (1 - mu)))))
  risk <- function(way) { z <- y; for (name in names(way)) z[[name]] <- way[[name]]
    Z <- model.matrix(delete.response(terms(m)), z); p <- plogis(as.vector(Z %*% coef(m)))
    slope <- colSums(w * p * (1 - p) * Z) / sum(w); value <- sum(w * p) / sum(w)
    list(value = value, influence = as.vector(spread %*% slope) + (p - value) / sum(w)) }
  list(model = m, risks = lapply(ways, risk))
}
error <- function(influence) { z <- rep(0, nrow(d)); z[inside] <- influence
  as.numeric(SE(svytotal(~z, design(cbind(d, z = z))))) }

roles <- fitted_with(pain ~ first + second + age, list(list(first = 1), list(first = 0), list(second = 1), list(second = 0),
                                                       list(first = 0, second = 0), list()))
v <- sapply(roles$risks, function(r) r$value); I <- sapply(roles$risks, function(r) r$influence)
told <- function(value, slope) c(value, error(as.vector(I %*% slope)))
one <- function(k) { s <- rep(0, 6); s[k] <- -1 / v[6]; s[6] <- v[k] / v[6]^2; list(1 - v[k] / v[6], s) }
shared <- function(a, o) { j <- one(5); list((a[[1]] + j[[1]] - o[[1]]) / 2, (a[[2]] + j[[2]] - o[[2]]) / 2) }
co <- summary(roles$model, df.resid = degf(subset(design(d), inside == 1)))$coefficients
doses <- fitted_with(pain ~ minutes + bend + age, list(list(minutes = 1200, bend = bend(1200)), list(minutes = 0, bend = 0)))
dv <- sapply(doses$risks, function(r) r$value); dI <- sapply(doses$risks, function(r) r$influence)
a1 <- shared(one(2), one(4)); a2 <- shared(one(4), one(2))
write_json(list(
  df = degf(subset(design(d), inside == 1)),
  odds_ratio = c(exp(co["first", 1]), co["first", 2]),
  first = told(v[1] - v[2], c(1, -1, 0, 0, 0, 0)), second = told(v[3] - v[4], c(0, 0, 1, -1, 0, 0)),
  difference = told(v[1] - v[2] - v[3] + v[4], c(1, -1, -1, 1, 0, 0)),
  fraction = told(one(2)[[1]], one(2)[[2]]), both = told(one(5)[[1]], one(5)[[2]]),
  average_first = told(a1[[1]], a1[[2]]), average_second = told(a2[[1]], a2[[2]]),
  dose = c(dv[1] - dv[2], error(dI[, 1] - dI[, 2])),
  straight = as.numeric(regTermTest(doses$model, ~bend, df = degf(subset(design(d), inside == 1)))$p),
  share = { s <- svyciprop(~I(pain == 1), subset(design(d), inside == 1 & second == 1), method = "logit"); c(coef(s), SE(s)) }
), "audit.json")
