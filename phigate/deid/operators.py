"""The operators of policy as presidio-anonymizer operators: each changes the text of one finding.

They can be added to a plain AnonymizerEngine as well. The rules are in `generalise`; this module gives them Presidio's
shape. A value that an operator cannot read is redacted: no operator ever returns what it did not understand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from presidio_anonymizer.operators import Operator as PresidioOperator
from presidio_anonymizer.operators import OperatorType

from phigate.deid.generalise import NO_PARAMS, REDACTED, generalise
from phigate.policy.decision import Operator


class PolicyOperator(PresidioOperator):  # type: ignore[misc]  # Presidio ships no types
    """One operator of the policy language. Parameters: ``entity_type``, ``lang``, ``params``; token: ``token``."""

    policy_operator: Operator

    def operate(self, text: str, params: dict[str, Any] | None = None) -> str:
        """Return what stands in the place of ``text``."""
        given = params or {}
        out = generalise(
            self.policy_operator,
            given.get("entity_type", ""),
            text,
            lang=given.get("lang", ""),
            params=given.get("params", NO_PARAMS),
        )
        return REDACTED if out is None else out

    def validate(self, params: dict[str, Any] | None = None) -> None:
        """Accept any parameters: what is missing makes the operator stricter, never looser."""

    def operator_name(self) -> str:
        """Return the name that policy files use."""
        return self.policy_operator.value

    def operator_type(self) -> OperatorType:
        """Return that this operator anonymizes; none of them undoes itself."""
        return OperatorType.Anonymize


class TokenOperator(PolicyOperator):
    """Puts the token that the exchange's map issued for the value. Without one it redacts."""

    policy_operator = Operator.TOKEN

    def operate(self, text: str, params: dict[str, Any] | None = None) -> str:  # noqa: ARG002 - Presidio's signature
        """Return the issued token."""
        return str((params or {}).get("token", REDACTED))


def _operator(op: Operator) -> type[PolicyOperator]:
    if op is Operator.TOKEN:
        return TokenOperator
    name = "".join(word.capitalize() for word in op.value.split("_")) + "Operator"
    return type(name, (PolicyOperator,), {"policy_operator": op, "__doc__": f"The operator {op.value}."})


CLASSES: Final[Mapping[Operator, type[PolicyOperator]]] = {op: _operator(op) for op in Operator}
OPERATORS: Final[Mapping[Operator, PolicyOperator]] = {op: cls() for op, cls in CLASSES.items()}
# No vault of realistic fakes exists: a surrogate would not be one, so the token, which is stricter, stands in for it.
REPLACED: Final[Mapping[Operator, Operator]] = {Operator.SURROGATE: Operator.TOKEN}
