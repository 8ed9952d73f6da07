from approvals.sync import Approvals

approvals = Approvals.connect()


@approvals.required(
    when=lambda amount: amount > 50,  # the others run at once
    reason=lambda customer, amount: f"{customer} paid {amount:.2f} twice",
    key=lambda invoice: f"refund-{invoice}",  # asked once, however often this program starts
)
def refund(invoice: str, customer: str, amount: float) -> str:
    return f"refunded {amount:.2f} to {customer}"


with approvals:
    print(refund("880", "c_17", 35))
    print(refund("881", "c_42", 940))
