from approvals.adapters.humanlayer import HumanLayer

hl = HumanLayer(agent_name="billing")


@hl.require_approval()
def refund(customer: str, amount: float) -> str:
    """Pay a customer back."""
    return f"refunded {amount:.2f} to {customer}"


contact_human = hl.human_as_tool()


def main() -> None:
    print(contact_human("Which invoice was charged twice?"))
    print(refund("c_42", 940))
    hl.approvals.close()


if __name__ == "__main__":
    main()
