"""Partial pooling: the normal-normal model with a shared comparison group, by exact sums over a grid.

Its prior says what was believed about the mean effect before the figures: nothing, or what comparable programs found.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr

from leapstudy.core.errors import BadInput
from leapstudy.core.estimate import SCHOOL_DAYS
from leapstudy.core.phrases import counted
from leapstudy.did.permutation import ALPHA


@dataclass(frozen=True, slots=True)
class Prior:
    """A normal prior on the mean effect over districts, in percentage points; `source` says where it comes from."""

    mean_pp: float
    sd_pp: float
    source: str


FLAT = Prior(0.0, float("inf"), "none: every mean effect is taken as equally likely beforehand")


def published_prior(programs: pd.DataFrame, coverage: float) -> Prior:
    """Return the prior that comparable programs' published effects give for a district's average.

    Parameters
    ----------
    programs
        `Facts.comparable_programs`: program, measure, effect, unit, source.
    coverage
        Share of the district's students that were visited, above 0 and at most 1. The published effects are those on
        students who took part; a district's average moves by that effect times the share.

    Raises
    ------
    BadInput
        If the coverage is no share, or fewer than two programs can be turned into points of attendance.

    Notes
    -----
    Only effects that are points of attendance already, or days absent (1 day fewer is 100/180 points more), may enter;
    odds and shares of chronic absence cannot be converted without each student's days. Mean and sample standard
    deviation of those that enter, each times the coverage: two or three programs say little, and the spread says so.
    """
    if not 0 < coverage <= 1:
        raise BadInput(f"The share of students visited must be above 0 and at most 1, not {coverage!r}.")
    points = in_points(programs)
    if len(points) < 2:
        raise BadInput(
            f"Only {len(points)} of {len(programs)} comparable programs can be turned into points of attendance; "
            "a spread takes two. Use the flat prior."
        )
    effects = coverage * points["effect_pp"].to_numpy(float)
    sources = "; ".join(points["source"])
    source = f"{len(points)} comparable programs ({sources}), times the {coverage:.1%} of students visited"
    return Prior(float(effects.mean()), float(np.std(effects, ddof=1)), source)


def in_points(programs: pd.DataFrame) -> pd.DataFrame:
    """Return the programs whose effect can be turned into points of attendance, with the column effect_pp."""
    rate = programs["measure"].eq("attendance rate") & programs["unit"].eq("percentage points")
    days = programs["measure"].eq("days absent") & programs["unit"].eq("days")
    effect = programs["effect"].astype(float)
    points = effect.where(rate, -effect * 100 / SCHOOL_DAYS)
    return programs.assign(effect_pp=points)[rate | days].reset_index(drop=True)


GRID = 600
HALVINGS = 50


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """Posterior of every district's effect, and of what they have in common, in percentage points.

    Attributes
    ----------
    mean_pp, low_pp, high_pp : ndarray, shape (districts,)
        Posterior mean and 95% interval of each district's effect.
    p_above_zero, p_above_threshold : ndarray, shape (districts,)
        Posterior probability that the effect is above zero, and above `threshold_pp`.
    threshold_pp : float
    mu_pp, mu_low_pp, mu_high_pp, mu_above_zero : float
        Mean effect over districts, its interval, and the probability that it is above zero.
    tau_pp, tau_low_pp, tau_high_pp : float
        Between-district standard deviation: posterior median and 95% interval.
    prior : Prior
        On the mean effect.
    """

    mean_pp: np.ndarray
    low_pp: np.ndarray
    high_pp: np.ndarray
    p_above_zero: np.ndarray
    p_above_threshold: np.ndarray
    threshold_pp: float
    mu_pp: float
    mu_low_pp: float
    mu_high_pp: float
    mu_above_zero: float
    tau_pp: float
    tau_low_pp: float
    tau_high_pp: float
    prior: Prior


@dataclass(frozen=True, slots=True)
class Given:
    """The posterior at each tau of a grid of size G, for D districts.

    `log_density` (G,) of tau, up to a constant; `mu` and `mu_variance` (G,); `mean` and `variance` (G, D) of effects.
    """

    log_density: np.ndarray
    mu: np.ndarray
    mu_variance: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


def shrink(effects: np.ndarray, covariance: np.ndarray, threshold_pp: float, prior: Prior = FLAT) -> Shrinkage:
    """Return the posterior of each district's effect under the normal-normal model.

    Parameters
    ----------
    effects : ndarray, shape (D,)
        Estimated effects, points.
    covariance : ndarray, shape (D, D)
        Sampling covariance of the estimates, such as ``diag(v) + c`` where all contain the comparison group's mean.
    threshold_pp
        The effect that would matter.
    prior
        On the mean effect; flat by default. The between-district standard deviation has a flat prior on (0, infinity).

    Raises
    ------
    BadInput
        With fewer than three districts (the posterior of the between-district spread is then improper), or a covariance
        that is not positive definite.

    Notes
    -----
    ``y ~ N(theta, S)``, ``theta_i ~ N(mu, tau^2)``: Rubin (1981), Gelman et al. (2013, section 5.4), with S for what
    the estimates share. The grid over tau is summed exactly; nothing is drawn.
    """
    _refuse(effects, covariance)
    edges = np.linspace(0, _widest(effects, covariance), GRID + 1)
    tau = (edges[1:] + edges[:-1]) / 2
    posterior = given_tau(effects, covariance, tau, prior)
    weight = np.exp(posterior.log_density - posterior.log_density.max())
    weight /= weight.sum()
    ends = [
        mixture_quantile(q, posterior.mean, np.sqrt(posterior.variance), weight) for q in (ALPHA / 2, 1 - ALPHA / 2)
    ]
    mu = [
        float(mixture_quantile(q, posterior.mu[:, None], np.sqrt(posterior.mu_variance)[:, None], weight)[0])
        for q in (ALPHA / 2, 1 - ALPHA / 2)
    ]
    below = np.concatenate([[0.0], np.cumsum(weight)])
    tau_median, tau_low, tau_high = np.interp((0.5, ALPHA / 2, 1 - ALPHA / 2), below, edges).tolist()
    return Shrinkage(
        weight @ posterior.mean,
        ends[0],
        ends[1],
        _above(0.0, posterior, weight),
        _above(threshold_pp, posterior, weight),
        threshold_pp,
        float(weight @ posterior.mu),
        mu[0],
        mu[1],
        float(weight @ ndtr(posterior.mu / np.sqrt(posterior.mu_variance))),
        tau_median,
        tau_low,
        tau_high,
        prior,
    )


def _refuse(effects: np.ndarray, covariance: np.ndarray) -> None:
    if len(effects) < 3:
        raise BadInput(
            f"{counted(len(effects), 'unit')} cannot show how far effects differ between them; it takes three or more."
        )
    if np.linalg.eigvalsh(covariance).min() <= 0:
        raise BadInput("A sampling variance is not above zero: with no noise measured there is nothing to pool by.")


def _widest(effects: np.ndarray, covariance: np.ndarray) -> float:
    """Return where the grid over tau ends: the posterior beyond it holds less than a thousandth."""
    n = len(effects)
    apart = n / (n - 1) * (np.diag(covariance).mean() - covariance.mean())  # the variance that is not shared by all
    return 10 * float(np.std(effects, ddof=1) + np.sqrt(apart))


def given_tau(effects: np.ndarray, covariance: np.ndarray, tau: np.ndarray, prior: Prior) -> Given:
    """Return the posterior given each value of tau, shape (G,); see `shrink` for the model.

    Notes
    -----
    With V = S + tau^2 I and the mean's own estimate m = 1'V^-1 y / 1'V^-1 1 of variance w = 1 / 1'V^-1 1, the effects
    are ``mu 1 + tau^2 V^-1 (y - mu 1)`` with variance ``tau^2 I - tau^4 V^-1`` plus what mu's own uncertainty adds. All
    are sums over the axes of S, which are those of V at every tau.
    """
    size, axes = np.linalg.eigh(covariance)
    tau2 = tau[:, None] ** 2
    plain, one, own = 1 / (size + tau2), axes.sum(axis=0), axes.T @ effects
    w = 1 / (plain @ one**2)
    estimate = w * (plain @ (one * own))
    precision = 1 / w + 1 / prior.sd_pp**2
    mu, mu_variance = (estimate / w + prior.mean_pp / prior.sd_pp**2) / precision, 1 / precision
    mean = mu[:, None] + tau2 * (plain * (own - mu[:, None] * one)) @ axes.T
    prior_share = 1 - tau2 * (plain * one) @ axes.T
    variance = tau2 - tau2**2 * (plain @ axes.T**2) + prior_share**2 * mu_variance[:, None]
    fit = (plain * (own - estimate[:, None] * one) ** 2).sum(axis=1)
    log_density = 0.5 * (np.log(plain).sum(axis=1) - fit) + _of_mean(estimate, w, prior)
    return Given(log_density, mu, mu_variance, mean, variance)


def _of_mean(estimate: np.ndarray, w: np.ndarray, prior: Prior) -> np.ndarray:
    """Return what integrating over the mean effect adds to the log density of tau."""
    if np.isinf(prior.sd_pp):
        return 0.5 * np.log(w)
    around = w + prior.sd_pp**2
    return 0.5 * np.log(w / around) - 0.5 * (estimate - prior.mean_pp) ** 2 / around


def _above(value: float, posterior: Given, weight: np.ndarray) -> np.ndarray:
    return weight @ ndtr((posterior.mean - value) / np.sqrt(posterior.variance))


def mixture_quantile(q: float, mean: np.ndarray, sd: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the q-quantile of mixtures of normals, shape (D,), from means and sds (G, D), by halving."""
    low, high = (mean - 10 * sd).min(axis=0), (mean + 10 * sd).max(axis=0)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        below = weight @ ndtr((middle - mean) / sd) < q
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
