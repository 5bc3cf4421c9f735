"""``POST /v1/agents/{agent_id}/transactions/simulate``: what a transaction would do now."""

from http import HTTPStatus

from fastapi import APIRouter

from sixgate.api.callers import AgentItself, ServicesOf
from sixgate.api.json_route import JsonRoute
from sixgate.api.models.simulations import BundleReply, BundleRequest, SimulationReply
from sixgate.api.models.submissions import TransactionRequest
from sixgate.api.problems import Problem, answers, invalid
from sixgate.api.requesting import checked, form_problems
from sixgate.api.services import Services
from sixgate.gateway.intents import Origin, transaction_intent
from sixgate.gateway.simulation_view import (
    KeyRefusal,
    bundle_status,
    call_of,
    simulation_view,
    usable_key,
)
from streams.simulators.simulation import Call, Simulation, SimulationFailure

router = APIRouter(
    prefix="/v1/agents/{agent_id}/transactions", tags=["transactions"], route_class=JsonRoute
)
_RESPONSES = answers(501)


@router.post("/simulate", responses=_RESPONSES)
def simulate(
    request: TransactionRequest, caller: AgentItself, services: ServicesOf
) -> SimulationReply:
    """Simulate a transaction without signing it; a revert is a result, with status 200."""
    return _simulated(services, [_call(services, caller.id, request)])[0]


@router.post("/simulate-bundle", responses=_RESPONSES)
def simulate_bundle(
    request: BundleRequest, caller: AgentItself, services: ServicesOf
) -> BundleReply:
    """Simulate transactions in order, each on what the earlier ones on its chain changed."""
    calls: list[Call] = []
    for number, one in enumerate(request.transactions):
        try:
            calls.append(_call(services, caller.id, one, tuple(calls)))
        except Problem as problem:
            raise _of_member(problem, number) from None
    replies = _simulated(services, calls)
    return BundleReply(
        bundle_id=f"bundle_{services.random_hex(16)}",
        status=bundle_status(replies),
        simulations=replies,
    )


def _call(
    services: Services, agent_id: str, request: TransactionRequest, earlier: tuple[Call, ...] = ()
) -> Call:
    """Return the simulator's call for a request; raise the problem that submitting it would."""
    read = services.backend.read
    agent = read.registered.agents[agent_id]
    signing = checked(services, agent, request, None)
    with form_problems():
        found = signing.target()
        origin = Origin(agent, f"sim-{services.random_hex(16)}", services.now_ms())
        intent = transaction_intent(request, found, origin, services.org)
    found_key = read.vaults.keys.find(agent.account, found.key_path)
    grants = read.registered.access.get(agent_id, ())
    key = usable_key(agent, grants, found_key, found.key_path)
    if isinstance(key, KeyRefusal):
        raise Problem(HTTPStatus.FORBIDDEN, key.reason.value, key.detail)
    return call_of(intent, key.address, earlier)


def _of_member(problem: Problem, number: int) -> Problem:
    """Return a problem with the place of its transaction in the bundle."""
    place = f"transactions.{number}"
    if problem.fields:
        return invalid({f"{place}.{name}": why for name, why in problem.fields.items()})
    return Problem(problem.status, problem.code, f"{place}: {problem.detail}")


def _simulated(services: Services, calls: list[Call]) -> list[SimulationReply]:
    """Return the replies; raise a problem if one call could not be simulated at all."""
    replies = []
    for call, answer in zip(calls, services.backend.read.simulate(calls), strict=True):
        if isinstance(answer, SimulationFailure):
            raise _failure(answer)
        replies.append(_reply(services, call, answer))
    return replies


def _reply(services: Services, call: Call, answer: Simulation) -> SimulationReply:
    chain = services.backend.read.registered.chains[call.chain_id]
    return simulation_view(answer, call, chain, f"sim_{services.random_hex(16)}")


def _failure(failure: SimulationFailure) -> Problem:
    if failure.code == "no_simulator":
        return Problem(HTTPStatus.NOT_IMPLEMENTED, failure.code, failure.detail)
    code = "simulation_unavailable" if failure.code == "simulation_failed" else failure.code
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, code, failure.detail, headers={"Retry-After": "1"}
    )
