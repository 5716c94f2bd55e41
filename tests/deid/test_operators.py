from presidio_anonymizer import AnonymizerEngine
from presidio_anonymizer.entities import OperatorConfig, RecognizerResult
from presidio_anonymizer.operators import OperatorType

from phigate.deid.operators import CLASSES, OPERATORS, REPLACED, TokenOperator
from phigate.finding import EntityType
from phigate.policy.decision import Operator


def test_every_operator_of_policy_is_a_presidio_operator() -> None:
    assert set(OPERATORS) == set(Operator)
    for op, operator in OPERATORS.items():
        operator.validate({})
        assert operator.operator_name() == op.value
        assert operator.operator_type() is OperatorType.Anonymize


def test_what_an_operator_cannot_read_is_redacted() -> None:
    assert OPERATORS[Operator.YEAR].operate("Monday", {"entity_type": EntityType.DATE}) == "[REDACTED]"
    assert OPERATORS[Operator.SURROGATE].operate("Maria") == "[REDACTED]"
    assert OPERATORS[Operator.TOKEN].operate("Maria") == "[REDACTED]"
    assert OPERATORS[Operator.REDACT].operate("Maria", None) == "[REDACTED]"


def test_a_surrogate_is_replaced_by_what_is_stricter() -> None:
    assert REPLACED == {Operator.SURROGATE: Operator.TOKEN}


def test_presidios_own_engine_can_run_them() -> None:
    engine = AnonymizerEngine()
    engine.add_anonymizer(CLASSES[Operator.YEAR])
    engine.add_anonymizer(TokenOperator)
    out = engine.anonymize(
        "Maria came on 2024-05-17.",
        [RecognizerResult("PERSON", 0, 5, 0.9), RecognizerResult("DATE", 14, 24, 0.9)],
        {
            "PERSON": OperatorConfig("token", {"token": "[[PERSON_1]]"}),
            "DATE": OperatorConfig("year", {"lang": "en"}),
        },
    )
    assert out.text == "[[PERSON_1]] came on 2024."
