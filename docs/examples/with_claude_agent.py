import asyncio

from claude_agent_sdk import ClaudeAgentOptions, ResultMessage, query

from approvals import Approvals
from approvals.adapters.claude_agent import approval_hooks

approvals = Approvals.connect()  # where and as whom: REDIS_URL, APPROVALS_AGENT


async def main() -> None:
    async with approvals:
        options = ClaudeAgentOptions(hooks=approval_hooks(approvals, "Bash|Write|Edit|mcp__.*"))
        async for message in query(prompt="Publish the site.", options=options):
            if isinstance(message, ResultMessage):
                print(message.result)


if __name__ == "__main__":
    asyncio.run(main())
