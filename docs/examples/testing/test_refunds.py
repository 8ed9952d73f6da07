import pytest

from approvals import Expired, Rejected
from approvals.sync import Approvals
from approvals.testing import Script

# -- your agent: usually imported ----------------------------------------------------------------------

approvals = Approvals.connect("redis://localhost:6379", agent="billing")


@approvals.required(risk="high")
def refund(customer: str, amount: float) -> str:
    return f"refunded {amount:.2f} to {customer}"


def settle(customer: str, amount: float) -> str:
    try:
        return refund(customer, amount)
    except Rejected as no:
        return f"not refunded: {no.feedback}"


# -- its tests -----------------------------------------------------------------------------------------


def test_a_person_may_refund_less(approvals_script: Script) -> None:
    approvals_script.edits("refund", amount=900)
    assert settle("c_42", 940) == "refunded 900.00 to c_42"
    assert approvals_script.request("refund").status == "executed"


def test_a_no_is_told_and_the_next_one_may_be_a_yes(approvals_script: Script) -> None:
    approvals_script.once.rejects("refund", "it is paid").approves("refund")
    assert settle("c_42", 940) == "not refunded: it is paid"
    assert settle("c_43", 35) == "refunded 35.00 to c_43"


def test_silence_is_not_a_no(approvals_script: Script) -> None:
    approvals_script.expires("refund")
    with pytest.raises(Expired):
        settle("c_42", 940)
