"""Conditions, waits and stops: asked directly, combined, and beside Tenacity's and one's own."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import tenacity

from cairn.engine.language import retry
from cairn.engine.language.retry import retry_policy

WRONG = ValueError("wrong: 42")


def caused_by(cause: Exception) -> Exception:
    error = RuntimeError("outer")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("condition", "error", "is_worth_it"),
    [
        (retry.retry_if_exception(lambda error: "42" in str(error)), WRONG, True),
        (retry.retry_if_exception_type((ValueError, OSError)), WRONG, True),
        (retry.retry_if_exception_type(OSError), ConnectionError(), True),
        (retry.retry_if_exception_type(OSError), WRONG, False),
        (retry.retry_if_not_exception_type(OSError), WRONG, True),
        (retry.retry_unless_exception_type(ValueError), WRONG, False),
        (retry.retry_if_exception_message(message="wrong"), WRONG, False),
        (retry.retry_if_exception_message(message="wrong: 42"), WRONG, True),
        (retry.retry_if_exception_message(match=r"\d+"), WRONG, True),
        (retry.retry_if_exception_message(match=re.compile("WRONG", re.I)), WRONG, True),
        (retry.retry_if_not_exception_message(match=r"\d+"), WRONG, False),
        (retry.retry_if_not_exception_message(message="right"), WRONG, True),
        (retry.retry_if_exception_cause_type(ValueError), caused_by(WRONG), True),
        (retry.retry_if_exception_cause_type(ValueError), caused_by(caused_by(WRONG)), True),
        (retry.retry_if_exception_cause_type(ValueError), WRONG, False),
        (retry.retry_always(), WRONG, True),
        (retry.retry_never(), WRONG, False),
    ],
)
def test_a_condition_is_asked_of_an_error(
    condition: retry.RetryCondition, error: Exception, is_worth_it: bool
) -> None:
    assert condition(error) is is_worth_it


@pytest.mark.parametrize("given", [{}, {"message": "wrong", "match": "wrong"}])
@pytest.mark.parametrize(
    "kind", [retry.retry_if_exception_message, retry.retry_if_not_exception_message]
)
def test_a_message_is_recognised_in_one_way(
    kind: Callable[..., Any], given: dict[str, str]
) -> None:
    with pytest.raises(TypeError, match="either 'message' or 'match'"):
        kind(**given)


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        (retry.wait_fixed(timedelta(minutes=1)), [60, 60, 60]),
        (retry.wait_none(), [0, 0, 0]),
        (retry.wait_incrementing(1, 2, 4), [1, 3, 4]),
        (retry.wait_incrementing(1, -2), [1, 0, 0]),
        (retry.wait_exponential(0.5, 10, 20), [0.5, 5, 20]),
        (retry.wait_exponential(min=3), [3, 3, 4]),
        (retry.wait_exponential_jitter(2, 3, 10, 0), [2, 6, 10]),
        (retry.wait_exponential_jitter(multiplier=2, jitter=0, min=3), [3, 4, 8]),
        (retry.wait_random(2, 2), [2, 2, 2]),
        (retry.wait_random_exponential(min=9, max=9), [9, 9, 9]),
        (retry.wait_chain(retry.wait_fixed(1), retry.wait_exponential(3)), [1, 6, 12]),
        (retry.wait_combine(retry.wait_fixed(1), retry.wait_exponential()), [2, 3, 5]),
        (retry.wait_fixed(1) + retry.wait_fixed(2), [3, 3, 3]),
        (sum([retry.wait_fixed(1), retry.wait_fixed(2), retry.wait_none()]), [3, 3, 3]),
    ],
)
def test_a_wait_is_asked_how_long_it_is_after_so_many_tries_again(
    wait: retry.WaitStrategy, seconds: list[float]
) -> None:
    assert [wait(attempts) for attempts in range(3)] == seconds


def test_an_exponential_wait_never_overflows() -> None:
    assert retry.wait_exponential()(100_000) == 60


@pytest.mark.parametrize(
    "wait",
    [
        retry.wait_random(1, 5),
        retry.wait_random_exponential(10, max=5, min=1),
        retry.wait_full_jitter(10, max=5, min=1),
        retry.wait_exponential_jitter(1, jitter=4),
        retry.wait_chain(retry.wait_random(1, 5)),
        retry.wait_combine(retry.wait_random(0, 2), retry.wait_random(1, 3)),
        retry.wait_fixed(1) + retry.wait_random(0, 4),
    ],
)
def test_a_wait_at_random_stays_in_bounds_and_is_one_for_one_seed(wait: retry.Wait) -> None:
    drawn = {wait(0, seed=seed % 20) for seed in range(60)}
    assert len(drawn) == 20
    unseeded = {wait(0) for _ in range(20)}
    assert len(unseeded) > 1
    assert all(1 <= seconds <= 5 for seconds in drawn | unseeded)


def test_a_chain_of_no_waits_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        retry.wait_chain()


THREE, TEN = retry.stop_after_attempt(3), retry.stop_after_delay(timedelta(seconds=10))


@pytest.mark.parametrize(
    ("stop", "found"),
    [
        (THREE, [False, True, False, True]),
        (TEN, [False, False, True, True]),
        (retry.stop_before_delay(11), [False, False, True, True]),
        (retry.stop_before_delay(12), [False, False, False, False]),
        (retry.stop_any(THREE, TEN), [False, True, True, True]),
        (THREE | TEN, [False, True, True, True]),
        (retry.stop_all(THREE, TEN), [False, False, False, True]),
        (THREE & TEN, [False, False, False, True]),
        (retry.stop_never(), [False, False, False, False]),
    ],
)
def test_a_stop_is_asked_of_attempts_and_time(stop: retry.StopCondition, found: list[bool]) -> None:
    states = [(2, 0.0), (3, 0.0), (2, 10.0), (3, 10.0)]
    assert [stop(*state, upcoming_sleep=1) for state in states] == found


def test_conditions_are_combined_from_left_to_right() -> None:
    a, b = retry.retry_if_exception_type(ValueError), retry.retry_if_exception_message(match="x")
    assert [(a | b)(error) for error in (ValueError(), OSError("x"), OSError())] == [1, 1, 0]
    assert [(a & b)(error) for error in (ValueError("x"), ValueError())] == [1, 0]
    assert (b & b | a)(ValueError())


def test_a_part_can_be_a_callable_of_ones_own() -> None:
    asked: list[Any] = []

    def condition(error: BaseException) -> bool:
        asked.append(error)
        return True

    def wait(attempts: int, *, seed: int | None = None) -> float:
        asked.append((attempts, seed))
        return 7.0

    def stop(attempts: int, elapsed_time: float, *, upcoming_sleep: float = 0.0) -> bool:
        asked.append((attempts, elapsed_time, upcoming_sleep))
        return False

    assert retry_policy(condition, wait, stop).next(0.3, 2, WRONG, seed=5) == 7
    assert asked == [WRONG, (1, 5), (2, 0.3, 7.0)]
    policy = retry_policy(
        retry.retry_never() | condition,
        sum([retry.wait_fixed(1), retry.wait_chain(wait)], retry.wait_none()),
        stop | retry.stop_after_attempt(3),
    )
    assert [policy.next(0.0, attempts, WRONG) for attempts in (1, 2, 3)] == [8, 8, None]
    assert (condition & retry.retry_never())(WRONG) is False
    assert (wait + retry.wait_fixed(1))(0) == 8
    assert (stop & retry.stop_after_attempt(1))(1, 0.0) is False


def test_a_part_can_be_tenacitys_own() -> None:
    policy = retry_policy(
        tenacity.retry_if_exception_type(ValueError),
        tenacity.wait_exception(lambda error: float(str(error)[-2:])),
        tenacity.stop_after_attempt(2),
    )
    assert [policy.next(0.0, attempts, WRONG) for attempts in (1, 2)] == [42, None]
    assert policy.next(0.0, 1, OSError()) is None


def test_tenacitys_parts_and_these_are_combined_either_way_round() -> None:
    theirs, ours = (
        tenacity.retry_if_exception_type(OSError),
        retry.retry_if_exception_type(KeyError),
    )
    worth = [retry_policy(part) for part in (theirs | ours, ours | theirs)]
    errors = (OSError(), KeyError(), WRONG)
    for policy in worth:
        assert [policy.next(0.0, 1, error) for error in errors] == [5, 5, None]
    chained: list[Any] = [retry.wait_fixed(2), retry.wait_fixed(3)]
    waits: list[Any] = [
        tenacity.wait_fixed(1) + retry.wait_exponential(),
        retry.wait_exponential() + tenacity.wait_fixed(1),
        tenacity.wait_chain(*chained),
    ]
    for wait in waits:
        policy = retry_policy(wait=wait)
        assert [policy.next(0.0, attempts, WRONG) for attempts in (1, 2)] == [2, 3]
    stops = [
        tenacity.stop_never | retry.stop_before_delay(10),
        retry.stop_before_delay(10) | tenacity.stop_never,
        retry.stop_before_delay(10) & tenacity.stop_after_attempt(1),
    ]
    for stop in stops:
        policy = retry_policy(stop=stop)
        assert [policy.next(seconds, 1, WRONG) for seconds in (4.9, 5.0)] == [5, None]


def test_these_parts_serve_tenacity_too() -> None:
    tries: list[int] = []

    @tenacity.retry(
        retry=retry.retry_if_exception_type(ValueError),
        wait=retry.wait_random(0, 0),
        stop=retry.stop_after_attempt(3),
        reraise=True,
    )
    def work() -> None:
        tries.append(1)
        raise WRONG

    with pytest.raises(ValueError, match="42"):
        work()
    assert len(tries) == 3


@pytest.mark.parametrize("stop", [retry.stop_never, retry.stop_never(), tenacity.stop_never])
def test_a_policy_may_never_stop(stop: Any) -> None:
    assert retry_policy(stop=stop).next(1e9, 1_000_000, WRONG) == 5


@pytest.mark.parametrize("given", [{"retry": ValueError()}, {"wait": 5}, {"stop": 3}])
def test_a_part_that_cannot_be_asked_is_refused_at_once(given: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"{next(iter(given))} by must be callable"):
        retry_policy(**given)


def test_a_policy_asked_before_the_first_failure_answers_as_after_it() -> None:
    policy = retry_policy(wait=retry.wait_exponential(3))
    assert policy.next(0.0, 0, WRONG) == policy.next(0.0, 1, WRONG) == 3
