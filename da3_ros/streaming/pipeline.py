# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Frames in, results out: the hops of the stream put together, with every frame accounted for.

Two threads may share a pipeline: one pushes frames, one takes windows and processes them. Without threads, `feed`
does both and drops nothing. The engine is never called while a lock is held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from threading import Lock

from da3_ros.geometry.rotation import FloatArray
from da3_ros.streaming.aligner import WindowAligner
from da3_ros.streaming.camera_health import CameraHealth
from da3_ros.streaming.conditioning import OdometryAt
from da3_ros.streaming.frame import Frame, FrameSet, Window
from da3_ros.streaming.intrinsics import IntrinsicsPolicy
from da3_ros.streaming.ledger import Counters, SetLedger
from da3_ros.streaming.lone_windows import LoneWindows
from da3_ros.streaming.mailbox import Mailbox
from da3_ros.streaming.memory_relief import Step
from da3_ros.streaming.model_scale import MetricDepth, ModelScale, Stopwatch
from da3_ros.streaming.odometry import OdometryState
from da3_ros.streaming.placement import Placement
from da3_ros.streaming.processor import Engine, Placed, WindowProcessor
from da3_ros.streaming.rate_limit import RateLimit
from da3_ros.streaming.results import SetResult, StageTimes, WindowResult
from da3_ros.streaming.scale import ScaleState, ScaleTracker
from da3_ros.streaming.scale_watch import ScaleWatch
from da3_ros.streaming.sliding_window import SlidingWindow
from da3_ros.streaming.stream_config import StreamConfig
from da3_ros.streaming.synchronizer import Synchronizer


class Pipeline:
    """Synchroniser, sliding window and mailbox on the pushing side; a WindowProcessor on the other.

    Args:
        config: how frames become windows.
        engine: called from the thread that calls `process`, `feed` or `finish`, never from two at once.
        now_ns: a clock for stage times; only differences are used.
        odometry_at: external odometry: where the base was in its own world at a stamp, (4, 4), metres, None when it
            does not know (yet); called by the thread that processes, and must not wait.
        metric_depth: a network that predicts metres, for the source of scale "model"; called like the engine.
        origin_at: where the published world has the base at a stamp by somebody else's account, as `odometry_at` tells
            it; a trajectory begins there, and where the base is the origin without it.
    """

    def __init__(
        self,
        config: StreamConfig,
        engine: Engine,
        now_ns: Callable[[], int],
        odometry_at: OdometryAt | None = None,
        metric_depth: MetricDepth | None = None,
        origin_at: OdometryAt | None = None,
    ) -> None:
        self._now_ns = now_ns
        self._mailbox: Mailbox[Window] = Mailbox()
        # The lock guards the pushing side and the account.
        self._lock = Lock()
        self._synchronizer = Synchronizer(config.cameras, config.slop_ns, config.missing_camera, config.queue_size)
        self._sliding_window = SlidingWindow(config.window_size, config.window_stride, config.min_sets)
        self._rate_limit = RateLimit(config.min_period_ns)
        self._ledger = SetLedger()
        self._frames_in = self._windows = self._resets = 0
        self._made_ns: dict[int, int] = {}
        # The processing thread alone touches these.
        self._metric_depth = None if metric_depth is None else Stopwatch(metric_depth, now_ns)
        trusts_predicted = config.intrinsics == "predicted"
        model = ModelScale(self._metric_depth, config.metric_every, config.metric_views, trusts_predicted)
        self._requires_metric = config.require_metric
        self._processor = WindowProcessor(
            engine,
            aligner=WindowAligner(config.max_rejected) if config.window_size > 1 else LoneWindows(),
            scales=ScaleWatch(ScaleTracker(config.scale_mode, config.fixed_scale), odometry_at, model),
            intrinsics=IntrinsicsPolicy(config.intrinsics),
            placement=Placement(
                config.base_from_camera, config.cameras[0], config.path_length, config.require_metric, origin_at
            ),
            conditioning=config.conditioning,
            odometry_at=odometry_at,
            overlap=min(config.overlap, config.window_size - 1),
            now_ns=now_ns,
        )
        self._resets_followed = 0

    def push(self, frame: Frame) -> None:
        """Take a frame and leave a window in the mailbox when one is due. Never waits for the engine."""
        now_ns = self._now_ns()
        with self._lock:
            for window in self._entered(frame, now_ns):
                self._mailbox.put(window)

    def take(self, timeout_s: float | None = None) -> Window | None:
        """Wait for the newest window; None when the time is over or the pipeline was closed.

        To ask again says that the window before is done with.
        """
        return self._mailbox.take(timeout_s)

    def close(self) -> None:
        """Wake whoever waits in `take`, for good."""
        self._mailbox.close()

    def place_cameras(self, base_from_camera: Mapping[str, FloatArray]) -> bool:
        """Learn where cameras sit on the base; for the thread that processes, best before its first window.

        Returns:
            Whether a new trajectory begins, as the base is another than before.
        """
        return self._processor.place_cameras(base_from_camera)

    def set_up(self, up_in_base: FloatArray | None) -> None:
        """Learn which way is up, (3,) base axes, when the next trajectory begins; for the thread that processes."""
        self._processor.set_up(up_in_base)

    def flush(self) -> None:
        """Decide what waits for more frames, as none will come for now.

        A window that is left goes to the mailbox. When none is left there and none is being processed, sets that only
        a later window could have published are lost to what they were blamed on.
        """
        now_ns = self._now_ns()
        with self._lock:
            for window in self._remaining(now_ns):
                self._mailbox.put(window)
            if self._mailbox.is_idle:
                self._ledger.lose_all()

    def feed(self, frame: Frame) -> list[WindowResult]:
        """Take a frame and process every window that it completes, for use without threads."""
        now_ns = self._now_ns()
        with self._lock:
            windows = self._entered(frame, now_ns)
        return [self.process(window) for window in windows]

    def finish(self) -> list[WindowResult]:
        """Process what still waits at the end of a finite stream; what then waits is counted as dropped.

        Not to be called while another thread processes.
        """
        waiting = self._mailbox.clear()
        results = [] if waiting is None else [self.process(waiting)]
        now_ns = self._now_ns()
        with self._lock:
            windows = self._remaining(now_ns)
        results += [self.process(window) for window in windows]
        with self._lock:
            self._ledger.lose_all()
        return results

    def process(self, window: Window) -> WindowResult:
        """Estimate, align and account for one window.

        What the engine raises passes through. The frames of that window are then published by later windows that
        hold them, or else counted as `engine_failed`. What is raised after the window was aligned passes through as
        well; then its new frames count as `engine_failed`, and the next window begins a new trajectory. With
        `require_metric`, those of a window whose scale is relative are withheld and counted as `not_metric`. Where
        memory is short a window may shrink to its newest sets; what is cut off so and never published counts as
        `no_memory`.
        """
        start_ns = self._now_ns()
        resets, made_ns = self._begin(window, start_ns)
        if resets != self._resets_followed:
            self._processor.reset()
            self._resets_followed = resets
        window = self._processor.bridged(window)
        with self._lock:
            self._ledger.blame(window.frame_sets, "engine_failed")
        placed = self._processor.place(window)
        placed_ns = self._now_ns()
        scale, new_sets = self._results(placed)
        if self._requires_metric and not scale.is_metric:
            new_sets = self._withhold(new_sets)
        metric_ns = self._metric_depth.taken_ns() if self._metric_depth else 0
        aligned_ns = placed.alignment_ns + self._now_ns() - placed_ns - metric_ns
        times = StageTimes(start_ns - made_ns, placed.engine_ns, aligned_ns, metric_ns)
        focal = placed.chosen.focal_difference
        return WindowResult(placed.window, placed.report, scale, times, new_sets, self._processor.rig, focal)

    def reset(self) -> None:
        """Drop everything under way; the next window begins a new trajectory at the origin."""
        with self._lock:
            self._ledger.drop(self._synchronizer.clear(), "reset")
            self._ledger.lose_all("reset")
            self._sliding_window.clear()
            self._resets += 1
        self._mailbox.clear()

    def count_unusable(self, cause: str) -> None:
        """Account for an image that could not be made a Frame."""
        with self._lock:
            self._frames_in += 1
            self._ledger.drop(1, cause)

    def counters(self) -> Counters:
        """The account now, from any thread."""
        with self._lock:
            return Counters(
                frames_in=self._frames_in,
                sets=self._ledger.sets,
                windows=self._windows,
                frames_published=self._ledger.frames_published,
                dropped=dict(Counter(self._ledger.dropped) + Counter(self._synchronizer.dropped)),
                in_flight=self._synchronizer.waiting + self._ledger.in_flight,
            )

    def health(self) -> tuple[CameraHealth, ...]:
        """How each camera takes part, from any thread."""
        with self._lock:
            return self._synchronizer.health()

    @property
    def relief(self) -> tuple[Step, ...]:
        """What windows do without as memory is short, from any thread."""
        return self._processor.relief

    @property
    def path(self) -> tuple[OdometryState, ...]:
        """The latest base states, oldest first; for the thread that processes."""
        return self._processor.path

    def _entered(self, frame: Frame, now_ns: int) -> list[Window]:
        windows = self._windows_of(self._synchronizer.push(frame), now_ns)
        self._frames_in += 1
        return windows

    def _remaining(self, now_ns: int) -> list[Window]:
        windows = self._windows_of(self._synchronizer.finish(), now_ns)
        last = self._sliding_window.finish()
        return windows if last is None else [*windows, last]

    def _windows_of(self, frame_sets: Iterable[FrameSet], now_ns: int) -> list[Window]:
        windows = []
        for frame_set in frame_sets:
            if self._rate_limit.refuses(frame_set.stamp_ns):
                self._ledger.drop(len(frame_set.frames), "rate_limited")
                continue
            self._ledger.enter(frame_set)
            window = self._sliding_window.push(frame_set)
            if window is not None:
                self._made_ns[window.index] = now_ns
                windows.append(window)
        return windows

    def _begin(self, window: Window, now_ns: int) -> tuple[int, int]:
        """Give up what no later window can hold; return the resets so far and when the window was made."""
        with self._lock:
            self._ledger.lose_before(window.frame_sets[0].index)
            made_ns = self._made_ns.get(window.index, now_ns)
            self._made_ns = {index: made for index, made in self._made_ns.items() if index > window.index}
            return self._resets, made_ns

    def _results(self, placed: Placed) -> tuple[ScaleState, tuple[SetResult, ...]]:
        """What to hand out for a window; nothing is half known when that fails."""
        new_sets = self._publish(placed)
        try:
            return self._processor.results(placed, new_sets)
        except Exception:
            self._processor.reset()
            with self._lock:
                self._windows -= 1
                self._ledger.withhold(new_sets, "engine_failed")
            raise

    def _publish(self, placed: Placed) -> tuple[FrameSet, ...]:
        """The sets of a good window that are new; none of those that a reset has dropped while the engine worked."""
        with self._lock:
            self._windows += 1
            self._ledger.blame(placed.cut_off, "no_memory")
            if not placed.report.ok:
                self._ledger.blame(placed.window.frame_sets, "not_aligned")
                return ()
            return self._ledger.publish(placed.window.frame_sets)

    def _withhold(self, new_sets: Iterable[SetResult]) -> tuple[()]:
        with self._lock:
            self._ledger.withhold((new.frame_set for new in new_sets), "not_metric")
        return ()
