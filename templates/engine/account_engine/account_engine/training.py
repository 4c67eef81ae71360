"""The method: which model is made of the features, and how good it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from datamaster_kit.contract.fault import DatamasterError, code

from account_engine.features import CATEGORIES, KEY, LABEL, NUMBERS

if TYPE_CHECKING:
    import pandas

FEATURES = [*CATEGORIES, *NUMBERS]
ONE_KIND = code(
    "account-engine-one-kind",
    "There is nothing to learn from: all rows are of one kind, or there are none.",
    "fill silver first, or ask something else in features.py",
)


def fit(rows: pandas.DataFrame) -> tuple[Pipeline, dict[str, float]]:
    """Return the model of some rows, and its metrics on those that were held out.

    Raises DatamasterError where rows of both kinds are not there, to train on and to measure.
    """
    is_measured = rows["is_held_out"].astype(bool)
    for part in (rows[~is_measured], rows[is_measured]):
        if part["label"].nunique() < 2:
            raise DatamasterError(ONE_KIND.fault(f"{LABEL}: {len(part)} rows, all the same"))
    model = Pipeline(
        [
            ("features", ColumnTransformer([
                ("texts", OneHotEncoder(handle_unknown="ignore"), list(CATEGORIES)),
                ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), list(NUMBERS)),
            ])),
            ("method", LogisticRegression(max_iter=1000)),
        ]
    )  # fmt: skip
    model.fit(rows.loc[~is_measured, FEATURES], rows.loc[~is_measured, "label"])
    measured = rows[is_measured]
    chance = model.predict_proba(measured[FEATURES])[:, 1]
    metrics = {
        "rows": float(len(rows)),
        "share": float(rows["label"].mean()),
        "auc": float(roc_auc_score(measured["label"], chance)),
        "log_loss": float(log_loss(measured["label"], chance)),
    }
    return model, metrics


def scorer(
    model: Pipeline, version: str
) -> Callable[[Iterator[pandas.DataFrame]], Iterator[pandas.DataFrame]]:
    """Return what gives rows of features their scores, wherever Spark has them.

    It is sent with the model, so that a worker needs scikit-learn and not this package.
    """
    names, key = FEATURES, KEY

    def scores(parts: Iterator[pandas.DataFrame]) -> Iterator[pandas.DataFrame]:
        for part in parts:
            scored = part[[key]].copy()
            scored["probability"] = model.predict_proba(part[names])[:, 1] if len(part) else []
            scored["model_version"] = version
            yield scored

    return scores
