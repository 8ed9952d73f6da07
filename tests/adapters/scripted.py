"""A LangChain agent whose model says what its script says: the real framework, without a network."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import StructuredTool
from langgraph.checkpoint.memory import InMemorySaver

from approvals import Approvals
from approvals.adapters.langchain import ApprovalMiddleware, PausingMiddleware
from approvals.adapters.langgraph import Resolver
from approvals.submitting import Span

THREAD: Any = {"configurable": {"thread_id": "thread-1"}}
GO = {"messages": [("user", "Please refund them.")]}
REFUND = {"customer": "c_42", "amount": 940.0}


class Script(BaseChatModel):
    """Says its lines in order: which one is next, the thread tells."""

    lines: list[AIMessage]

    @property
    def _llm_type(self) -> str:
        return "script"

    def bind_tools(self, *_: Any, **__: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        said = sum(isinstance(message, AIMessage) for message in messages)
        return ChatResult(generations=[ChatGeneration(message=self.lines[said].model_copy(deep=True))])


def calling(*args: dict[str, Any], words: str = "", tool: str = "refund") -> AIMessage:
    """The model calls `tool` once for each of `args`."""
    return AIMessage(
        words, tool_calls=[{"name": tool, "args": one, "id": f"call-{n}"} for n, one in enumerate(args)]
    )


@dataclass
class Shop:
    """What the tools do, counted."""

    ran: list[dict[str, Any]] = field(default_factory=list)
    trouble: Exception | None = None
    result: str | None = None

    def refund(self, customer: str, amount: float) -> str:
        """Pay a customer back."""
        self.ran.append({"customer": customer, "amount": amount})
        if self.trouble:
            raise self.trouble
        return self.result or f"refunded {amount:.2f} to {customer}"

    def look_up(self, customer: str) -> str:
        """Look a customer up."""
        return f"{customer} is fine"

    @property
    def tools(self) -> list[StructuredTool]:
        return [StructuredTool.from_function(self.refund), StructuredTool.from_function(self.look_up)]


@dataclass(frozen=True)
class Surface:
    """One way to have an agent ask: inline, or by one of LangChain's own pauses; with and without async."""

    name: str
    pauses: Any = None  # None: the middleware that waits inline
    is_async: bool = True

    def agent(
        self,
        approvals: Approvals,
        shop: Shop,
        *lines: AIMessage,
        timeout: Span | None = None,
        saver: InMemorySaver | None = None,
        risk: str | None = "high",  # as the Resolver tells it
        **more: Any,
    ) -> "Agent":
        model = Script(lines=[*(lines or (calling(REFUND),)), AIMessage("Done.")])
        middleware: Any = (
            PausingMiddleware(
                approvals, {"refund": True, **more}, interrupt_mode=self.pauses, timeout=timeout
            )
            if self.pauses
            else ApprovalMiddleware(approvals, timeout=timeout, **more)
        )
        graph = create_agent(
            model, shop.tools, middleware=[middleware], checkpointer=saver or InMemorySaver()
        )
        runner: Any = Resolver(graph, approvals, timeout=timeout, risk=risk) if self.pauses else graph
        return Agent(graph, runner, self.is_async)


@dataclass(frozen=True)
class Agent:
    graph: Any
    runner: Any
    is_async: bool

    async def run(self, input: Any = GO, config: Any = THREAD) -> list[ToolMessage]:
        """What the model has read from its tools when the run has ended."""
        run: Callable[..., Any] = self.runner.ainvoke
        result = (
            await run(input, config)
            if self.is_async
            else await asyncio.to_thread(self.runner.invoke, input, config)
        )
        return [message for message in result["messages"] if isinstance(message, ToolMessage)]


INLINE = Surface("inline")
SURFACES = [
    INLINE,
    Surface("inline, no async", is_async=False),
    Surface("batched", pauses="batched"),
    Surface("per call", pauses="per_call"),
    Surface("batched, no async", pauses="batched", is_async=False),
]
