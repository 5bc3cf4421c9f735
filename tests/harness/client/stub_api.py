"""A stand-in of the HTTP API with one agent: answers as the wire reference says."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

API_KEY, TOKEN = "ocv_stub", "stub-token"
OWN = "/v1/agents/agent-1"
ALLOWED, OTHER = "0x" + "11" * 20, "0x" + "22" * 20
Json = dict[str, Any]


class StubApi:
    """One agent with a cap of 1 ETH, 2 ETH a day and one recipient."""

    def __init__(self) -> None:
        self.agent: Json = {
            "id": "agent-1",
            "name": "trader",
            "intents_api_enabled": True,
            "message_signing_enabled": False,
            "eip712_default_policy": "deny",
            "eip712_domain_allowlist": [{"verifying_contract": ALLOWED}],
            "tx_allowed_chains": ["base"],
            "tx_to_allowlist": [ALLOWED],
            "tx_max_value_eth": "1",
            "tx_daily_limit_eth": "2",
            "tx_spent_today_eth": "1.25",
        }
        self.requests: list[tuple[str, str, Json]] = []
        self.keys: list[str | None] = []
        self.refused: Json | None = None

    def app(self) -> Starlette:
        transactions = f"{OWN}/transactions"
        routes = {
            "POST /v1/auth/agent-token": self._token,
            "GET /v1/agents/me": lambda _body: self.agent,
            "GET /v1/chains": lambda _body: {
                "chains": [
                    {"name": "base", "chain_id": 8453, "is_enabled": True},
                    {"name": "ethereum", "chain_id": 1, "is_enabled": True},
                ]
            },
            f"GET {OWN}/signing-keys": lambda _body: {
                "signing_keys": [{"chain": "ethereum", "address": ALLOWED, "is_active": True}]
            },
            f"POST {OWN}/signing-keys": lambda _body: self._problem(
                403, "people_only", "Agents may not do this."
            ),
            f"POST {transactions}": lambda body: self._signed(body, "signed"),
            f"POST {transactions}/sign": lambda body: self._signed(body, "sign_only"),
            f"POST {transactions}/simulate": lambda _body: {
                "simulation_id": "sim_1",
                "status": "success",
                "gas_used": 21000,
            },
            f"GET {transactions}": lambda _body: {"transactions": [{"id": "tx-1"}]},
            f"GET {transactions}/tx-1": lambda _body: {"id": "tx-1", "status": "signed"},
            f"POST {OWN}/sign": self._sign,
        }
        return Starlette(routes=[self._route(line, answer) for line, answer in routes.items()])

    def _route(self, line: str, answer: Any) -> Route:
        method, path = line.split()

        async def serve(request: Request) -> Response:
            content = await request.body()
            body = json.loads(content) if content else {}
            exchange = path == "/v1/auth/agent-token"
            if not exchange and request.headers.get("authorization") != f"Bearer {TOKEN}":
                return self._problem(401, "unauthorized", "The token is wrong.")
            self.requests.append((request.method, request.url.path, body))
            self.keys.append(request.headers.get("idempotency-key"))
            found = answer(body)
            return found if isinstance(found, Response) else JSONResponse(found)

        return Route(path, serve, methods=[method])

    def _token(self, body: Json) -> Any:
        if body.get("api_key") != API_KEY:
            return self._problem(401, "unauthorized", "There is no such API key.")
        return {"access_token": TOKEN, "expires_in": 600, "agent_id": "agent-1"}

    def _signed(self, body: Json, status: str) -> Any:
        if self.refused is not None:
            refused = {"type": "about:blank", **self.refused}
            return JSONResponse(refused, refused["status"], media_type="application/problem+json")
        return JSONResponse({"id": "tx-1", "status": status, "chain": body["chain"]}, 201)

    def _sign(self, body: Json) -> Any:
        if body["intent_type"] == "personal_sign":
            detail = "The policy does not allow messages."
            return self._problem(403, "message_signing_off", detail)
        return {"signature": "0x1b", "typed_data_hash": "0x22", "from": ALLOWED}

    @staticmethod
    def _problem(status: int, code: str, detail: str) -> JSONResponse:
        body = {"type": "about:blank", "status": status, "code": code, "detail": detail}
        return JSONResponse(body, status, media_type="application/problem+json")


@contextmanager
def on_a_socket(app: Any, path: Path) -> Iterator[None]:
    """Serve an application on a Unix socket from a thread."""
    config = uvicorn.Config(app, uds=str(path), log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    serving = threading.Thread(target=asyncio.run, args=(server.serve(),))
    serving.start()
    try:
        yield
    finally:
        server.should_exit = True
        serving.join()
