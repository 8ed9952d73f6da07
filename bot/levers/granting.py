"""A new request goes through by a grant, if one covers it and has enough left; else people are asked."""

from __future__ import annotations

from dataclasses import replace

from approvals.errors import GrantSpent
from approvals.grant_book import GrantBook
from approvals.grants import covers, granted, use_of
from approvals.inbox import LetterRef
from approvals.model import Action, Request
from approvals.store import Store

TRIES = 3  # grants that change at that very moment; then people are asked, which is never wrong


async def create(store: Store, book: GrantBook, request: Request, letter: LetterRef) -> Request:
    """Store a request, by a grant if there is one for it. Raises as `Store.create`."""
    for _ in range(TRIES if request.terms.action is Action.ASK else 0):
        known = await book.all()
        is_spent = False
        for grant in known.grants:
            use = use_of(grant, request, known.version)
            if use is None or not covers(grant, request, request.created_at):
                continue
            try:
                through = replace(request, terms=granted(request.terms, grant))
                return await store.create(through, letter=letter, use=use)
            except GrantSpent:
                is_spent = True
        if not is_spent:
            break
    return await store.create(request, letter=letter)
