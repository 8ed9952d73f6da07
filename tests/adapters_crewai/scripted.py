"""A crew whose model says what its script says: the real CrewAI, without a network."""

import json
from typing import Any

from crewai import Agent, Crew, Task
from crewai.llms.base_llm import BaseLLM
from crewai.tools import tool as crew_tool

REFUND = {"customer": "c_42", "amount": 940.0}


class Script(BaseLLM):
    """Calls the tool once for each of `calls`, one after the other or all at once, and then is done."""

    calls: list[Any]
    tool: str = "refund"
    is_native: bool = True
    heard: list[str]

    def supports_function_calling(self) -> bool:
        return self.is_native

    def call(self, messages: Any, tools: Any = None, **_: Any) -> Any:
        return self._native(messages) if self.is_native else self._in_words(messages)

    async def acall(self, messages: Any, tools: Any = None, **_: Any) -> Any:
        return self.call(messages, tools)

    def _native(self, messages: Any) -> Any:
        self.heard[:] = [str(one["content"]) for one in messages if one["role"] == "tool"]
        if self.heard:
            return "Done."
        return [
            {
                "id": f"call_{n}",
                "type": "function",
                "function": {"name": self.tool, "arguments": json.dumps(args)},
            }
            for n, args in enumerate(self.calls)
        ]

    def _in_words(self, messages: Any) -> str:
        said = "\n".join(str(one["content"]) for one in messages if one["role"] != "system")
        self.heard[:] = said.split("\nObservation: ")[1:]
        if len(self.heard) == len(self.calls):
            return "Thought: done\nFinal Answer: Done."
        call = self.calls[len(self.heard)]
        return f"Thought: now\nAction: {self.tool}\nAction Input: {json.dumps(call)}\n"


class Shop:
    """A crew with one tool, and what that did."""

    def __init__(self, *calls: dict[str, Any], is_native: bool = True) -> None:
        self.ran: list[dict[str, Any]] = []
        self.model = Script(model="script", calls=list(calls) or [REFUND], is_native=is_native, heard=[])

        @crew_tool("refund")
        def refund(customer: str, amount: float) -> str:
            """Pay a customer back."""
            self.ran.append({"customer": customer, "amount": amount})
            if customer == "c_0":
                raise RuntimeError("no such customer")
            return f"refunded {amount:.2f} to {customer}"

        agent = Agent(role="clerk", goal="refunds", backstory="careful", llm=self.model, tools=[refund])
        task = Task(description="Refund them.", expected_output="done", agent=agent)
        self.crew = Crew(agents=[agent], tasks=[task])

    def kickoff(self) -> str:
        return str(self.crew.kickoff())

    @property
    def heard(self) -> list[str]:
        """What the model has read from its tools."""
        return self.model.heard
