# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Filters fed by hand: what they pass on, group, keep and drop."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from message_filters import ApproximateTimeSynchronizer, Cache, SimpleFilter, Subscriber, TimeSynchronizer
from rclpy.time import Time
from std_msgs.msg import Header, String

if TYPE_CHECKING:
    from conftest import Graph

MS_NS = 1_000_000


@dataclass(frozen=True)
class Stamped:
    """A message of one input, told apart by its value."""

    header: Header
    value: Any = None


def stamped(ns: int, value: Any = None) -> Stamped:
    return Stamped(Header(stamp=Time(nanoseconds=ns).to_msg()), value)


def nanoseconds(msg: Stamped) -> int:
    return Time.from_msg(msg.header.stamp).nanoseconds


@dataclass
class Sink:
    """Collects what a filter puts out; raises instead when told to."""

    groups: list[tuple[Any, ...]] = field(default_factory=list)
    error: Exception | None = None

    def __call__(self, *msgs: Any) -> None:
        self.groups.append(msgs)
        if self.error is not None:
            raise self.error

    @property
    def stamps_ms(self) -> list[tuple[int, ...]]:
        return [tuple(nanoseconds(msg) // MS_NS for msg in group) for group in self.groups]


def test_filter_passes_messages_and_extra_arguments_when_both_are_given() -> None:
    source, first, second = SimpleFilter(), Sink(), Sink()

    numbers = [source.registerCallback(first), source.registerCallback(second, "extra", 7)]
    source.signalMessage("message")

    assert numbers == [0, 1]
    assert (first.groups, second.groups) == ([("message",)], [("message", "extra", 7)])


@given(st.integers(1, 6), st.randoms(use_true_random=False))
def test_time_synchronizer_groups_equal_stamps_when_they_come_in_any_order(count: int, random: Any) -> None:
    sources, sink = [SimpleFilter(), SimpleFilter(), SimpleFilter()], Sink()
    TimeSynchronizer(sources, count).registerCallback(sink)
    arrivals = [(source, ms) for source in sources[:2] for ms in range(count)]
    random.shuffle(arrivals)

    for source, ms in arrivals:
        source.signalMessage(stamped(ms * MS_NS))
    assert sink.groups == []
    for ms in range(count):
        sources[2].signalMessage(stamped(ms * MS_NS))

    assert sink.stamps_ms == [(ms, ms, ms) for ms in range(count)]


def test_time_synchronizer_drops_the_oldest_when_a_queue_is_full() -> None:
    left, right, sink = SimpleFilter(), SimpleFilter(), Sink()
    TimeSynchronizer([left, right], queue_size=2).registerCallback(sink)

    for ms in (1, 2, 3):
        left.signalMessage(stamped(ms * MS_NS))
    for ms in (1, 2, 3):
        right.signalMessage(stamped(ms * MS_NS))

    assert sink.stamps_ms == [(2, 2), (3, 3)]


def test_time_synchronizer_takes_stamps_of_both_kinds_when_they_are_messages_or_rclpy_times() -> None:
    # Upstream's exact synchroniser takes messages only.
    left, right, sink = SimpleFilter(), SimpleFilter(), Sink()
    TimeSynchronizer([left, right], 1).registerCallback(sink)
    header = type("Header", (), {"stamp": Time(nanoseconds=5)})()

    left.signalMessage(stamped(5))
    right.signalMessage(Stamped(header))

    assert len(sink.groups) == 1


@pytest.mark.timeout(20)
@pytest.mark.parametrize("options", [(TimeSynchronizer, 5), (ApproximateTimeSynchronizer, 5, 0.01)])
def test_synchronizer_goes_on_when_a_callback_raises(options: tuple[Any, ...]) -> None:
    # Stricter than upstream, which keeps its lock and blocks for ever on the next message.
    kind, *arguments = options
    left, right, sink = SimpleFilter(), SimpleFilter(), Sink(error=RuntimeError("fault of the user"))
    kind([left, right], *arguments).registerCallback(sink)

    left.signalMessage(stamped(0))
    with pytest.raises(RuntimeError, match="fault of the user"):
        right.signalMessage(stamped(0))
    sink.error = None
    left.signalMessage(stamped(100 * MS_NS))
    right.signalMessage(stamped(100 * MS_NS))

    assert sink.stamps_ms == [(0, 0), (100, 100)]


@pytest.mark.timeout(20)
def test_callback_may_feed_the_synchronizer_when_it_is_called() -> None:
    # Stricter than upstream, which dead-locks.
    left, right, sink = SimpleFilter(), SimpleFilter(), Sink()
    synchronizer = TimeSynchronizer([left, right], 5)
    synchronizer.registerCallback(sink)
    synchronizer.registerCallback(lambda *_: left.signalMessage(stamped(7 * MS_NS)))

    left.signalMessage(stamped(MS_NS))
    right.signalMessage(stamped(MS_NS))
    right.signalMessage(stamped(7 * MS_NS))

    assert sink.stamps_ms == [(1, 1), (7, 7)]


def greedy_groups(arrivals: list[tuple[int, int]], inputs: int, queue_size: int, slop_ns: int) -> list[tuple[int, ...]]:
    """Upstream's rule by brute force: of all combinations in order of nearness the first whose spread is below slop."""
    queues: list[dict[int, None]] = [{} for _ in range(inputs)]
    groups = []
    for index, stamp in arrivals:
        queues[index][stamp] = None
        while len(queues[index]) > queue_size:
            del queues[index][min(queues[index])]
        near = [
            sorted((s for s in queue if abs(s - stamp) <= slop_ns), key=lambda s: abs(s - stamp)) for queue in queues
        ]
        near[index] = [stamp] if stamp in queues[index] else []
        for group in itertools.product(*near):
            if max(group) - min(group) < slop_ns:
                groups.append(group)
                for queue, used in zip(queues, group, strict=True):
                    del queue[used]
                break
    return groups


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), max_size=40),
    st.integers(1, 5),
    st.integers(1, 12),
)
@example([(0, 16), (0, 25), (1, 26), (1, 15), (2, 20)], 5, 10)  # two groups fit: the earlier input's nearest decides
def test_approximate_synchronizer_groups_as_brute_force_does_when_stamps_are_any(
    arrivals_ms: list[tuple[int, int]], queue_size: int, slop_ms: int
) -> None:
    sources, sink = [SimpleFilter() for _ in range(3)], Sink()
    ApproximateTimeSynchronizer(sources, queue_size, slop_ms * 1e-3).registerCallback(sink)

    for index, ms in arrivals_ms:
        sources[index].signalMessage(stamped(ms * MS_NS))

    slop_ns = int(slop_ms * 1e-3 * 10**9)
    arrivals_ns = [(index, ms * MS_NS) for index, ms in arrivals_ms]
    expected = greedy_groups(arrivals_ns, 3, queue_size, slop_ns)
    assert [tuple(map(nanoseconds, group)) for group in sink.groups] == expected


def test_approximate_synchronizer_keeps_apart_what_is_exactly_slop_apart() -> None:
    left, right, sink = SimpleFilter(), SimpleFilter(), Sink()
    ApproximateTimeSynchronizer([left, right], 5, slop=0.01).registerCallback(sink)

    left.signalMessage(stamped(0))
    right.signalMessage(stamped(10 * MS_NS))
    assert sink.groups == []
    right.signalMessage(stamped(10 * MS_NS - 1))

    assert len(sink.groups) == 1


@pytest.mark.timeout(30)
def test_approximate_synchronizer_answers_when_seven_inputs_have_full_queues() -> None:
    # Stricter than upstream, which walks through 20**6 combinations for the last message.
    sources, sink = [SimpleFilter() for _ in range(7)], Sink()
    ApproximateTimeSynchronizer(sources, 20, slop=0.1).registerCallback(sink)

    for source in sources[:5]:
        for ms in range(20):
            source.signalMessage(stamped(ms * MS_NS))
    sources[5].signalMessage(stamped(115 * MS_NS))
    sources[6].signalMessage(stamped(16 * MS_NS))

    assert sink.stamps_ms == [(16, 16, 16, 16, 16, 115, 16)]


def test_approximate_synchronizer_uses_the_time_of_arrival_when_headerless_messages_are_allowed() -> None:
    left, right, strict, lenient = SimpleFilter(), SimpleFilter(), Sink(), Sink()
    ApproximateTimeSynchronizer([left, right], 5, 60.0).registerCallback(strict)
    ApproximateTimeSynchronizer([left, right], 5, 60.0, allow_headerless=True).registerCallback(lenient)

    left.signalMessage(String(data="left"))
    right.signalMessage(String(data="right"))

    assert strict.groups == []
    assert [[msg.data for msg in group] for group in lenient.groups] == [["left", "right"]]


def test_cache_answers_by_time_when_it_is_full() -> None:
    source, sink = SimpleFilter(), Sink()
    cache = Cache(source, cache_size=3)
    cache.registerCallback(sink)

    for sec in range(5):
        source.signalMessage(stamped(sec * 10**9, sec))

    assert [msg.value for (msg,) in sink.groups] == [0, 1, 2, 3, 4]
    assert (cache.getOldestTime().nanoseconds, cache.getLastestTime().nanoseconds) == (2 * 10**9, 4 * 10**9)
    interval = cache.getInterval(_seconds(2.5), _seconds(4))
    assert [msg.value for msg in interval] == [3, 4]
    assert cache.getElemAfterTime(_seconds(2.5)).value == 3
    assert cache.getElemBeforeTime(_seconds(3.5)).value == 3
    assert cache.getElemAfterTime(_seconds(4.5)) is None
    assert cache.getElemBeforeTime(_seconds(1.5)) is None
    assert cache.getLast().value == 4
    with pytest.raises(AssertionError):
        cache.getInterval(_seconds(2), _seconds(1))


def _seconds(seconds: float) -> Time:
    return Time.from_msg(Time(seconds=seconds).to_msg())


def test_cache_has_no_answer_when_it_is_empty_and_refuses_messages_without_a_header() -> None:
    cache = Cache(SimpleFilter(), 5)

    cache.add(String(data="no header"))

    assert (cache.getLast(), cache.getLastestTime(), cache.getOldestTime()) == (None, None, None)


def test_cache_keeps_messages_without_a_header_when_they_are_allowed() -> None:
    cache = Cache(SimpleFilter(), 5, allow_headerless=True)

    cache.add(String(data="now"))

    assert cache.getLast().data == "now"


def test_subscriber_passes_messages_on_when_they_come_over_dds(graph: Graph) -> None:
    sink, node = Sink(), graph.node("listener")
    subscriber = Subscriber(node, String, "words", qos_profile=3)
    subscriber.registerCallback(sink)
    publisher = graph.node("talker").create_publisher(String, "words", 3)
    graph.spin_until(lambda: publisher.get_subscription_count() == 1)

    publisher.publish(String(data="hello"))
    graph.spin_until(lambda: len(sink.groups) > 0)

    assert [msg.data for (msg,) in sink.groups] == ["hello"]
    assert (subscriber.getTopic(), subscriber.topic_name) == ("words", "/words")
    with pytest.raises(AttributeError):
        _ = subscriber.no_such_attribute
