"""What holds a browser to what it has begun."""

from datetime import timedelta

from aiohttp import web

from bot.cookies import Cookie


def test_under_tls_it_is_for_this_host_alone_and_no_script_reads_it() -> None:
    cookie, response = Cookie(called="begun", lasts=timedelta(minutes=5), is_tls=True), web.Response()
    cookie.put(response, "sealed")
    told = response.cookies["__Host-begun"]
    assert (told.value, told["path"], told["domain"], told["max-age"]) == ("sealed", "/", "", "300")
    assert (bool(told["secure"]), bool(told["httponly"]), told["samesite"]) == (True, True, "Lax")


def test_it_is_dropped_as_it_was_put() -> None:
    cookie, response = (
        Cookie(called="begun", lasts=timedelta(minutes=5), is_tls=True, same_site="Strict"),
        web.Response(),
    )
    cookie.drop(response)
    told = response.cookies["__Host-begun"]
    assert (told.value, told["path"], told["max-age"]) == ("", "/", "0")
    assert (bool(told["secure"]), bool(told["httponly"]), told["samesite"]) == (True, True, "Strict")
