"""An MCP server like any other: it knows nothing of approvals."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("shop")


@server.tool()
async def look_up(customer: str) -> str:
    """Look a customer up."""
    return f"{customer} has bought for 940.00"


@server.tool()
async def refund(customer: str, amount: float) -> str:
    """Give a customer money back."""
    return f"refunded {amount:.2f} to {customer}"


if __name__ == "__main__":
    server.run()
