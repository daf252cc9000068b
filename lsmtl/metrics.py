"""How good is a prediction, gene by gene: MAE (Eq. 11) and concordance (Eq. 12)."""

import torch


def _pair(prediction, target):
    """Both as float64 tensors (n, T), checked."""
    prediction = torch.as_tensor(prediction).double()
    target = torch.as_tensor(target).double()
    if prediction.shape != target.shape or prediction.dim() != 2:
        raise ValueError(
            "prediction and target must both have the shape (samples, genes), got "
            f"{tuple(prediction.shape)} and {tuple(target.shape)}"
        )
    if not len(target):
        raise ValueError("no sample to score: prediction and target have 0 rows")
    return prediction, target


def mae(prediction, target):
    r"""Mean absolute error of every gene.

    $\mathrm{MAE}_t = \frac{1}{M} \sum_i |\hat y_{it} - y_{it}|$ (Eq. 11).

    Args:
        prediction: (n, T) tensor or array, in standard deviations of the gene.
        target: (n, T), the same units.

    Returns:
        (T,) tensor, float64.

    Raises:
        ValueError: the shapes differ or there is no sample.

    >>> mae([[0., 1.], [2., 1.]], [[0., 3.], [1., 1.]]).tolist()
    [0.5, 1.0]
    """
    prediction, target = _pair(prediction, target)
    return (prediction - target).abs().mean(0)


def _moments(prediction, target):
    """Mean difference, both population variances and the covariance, each (T,)."""
    prediction, target = _pair(prediction, target)
    shift = prediction.mean(0) - target.mean(0)
    prediction, target = _centred(prediction), _centred(target)
    cov = (prediction * target).mean(0)
    return shift, prediction.square().mean(0), target.square().mean(0), cov


def _centred(values):
    """Values minus their mean; exactly 0 where a gene is constant."""
    values = values - values[0]
    return values - values.mean(0)


def concordance(prediction, target):
    r"""Lin's concordance correlation coefficient of every gene.

    $\mathrm{CC}_t = \dfrac{2 \rho \sigma_{y} \sigma_{\hat y}}
    {\sigma_{y}^2 + \sigma_{\hat y}^2 + (\mu_{y} - \mu_{\hat y})^2}$ (Eq. 12),
    with population variances, so that $\rho \sigma_y \sigma_{\hat y}$ is the
    covariance. A constant prediction has concordance 0.

    Args:
        prediction: (n, T) tensor or array.
        target: (n, T), the same units.

    Returns:
        (T,) tensor in [-1, 1], float64.

    Raises:
        ValueError: the shapes differ or there is no sample.

    >>> concordance([[1.], [2.], [3.]], [[1.], [2.], [3.]]).item()
    1.0
    >>> concordance([[2.], [2.], [2.]], [[1.], [2.], [3.]]).item()
    0.0
    """
    shift, var_p, var_t, cov = _moments(prediction, target)
    whole = var_p + var_t + shift**2
    return 2 * cov / whole.masked_fill(whole == 0, 1)  # cov is 0 where whole is


def pearson(prediction, target):
    r"""Pearson's correlation of every gene, blind to scale and offset.

    It stands beside the MAE where a platform's scale is unknown. A constant
    prediction has correlation 0.

    Args:
        prediction: (n, T) tensor or array.
        target: (n, T).

    Returns:
        (T,) tensor in [-1, 1], float64.

    Raises:
        ValueError: the shapes differ or there is no sample.

    >>> pearson([[1.], [2.], [3.]], [[10.], [20.], [30.]]).item()
    1.0
    """
    _, var_p, var_t, cov = _moments(prediction, target)
    scale = (var_p * var_t).sqrt()
    return cov / scale.masked_fill(scale == 0, 1)  # cov is 0 where scale is
