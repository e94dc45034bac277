# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""An exported network as an engine: ONNX Runtime instead of PyTorch, for one number of views and one image size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from da3_ros.geometry.camera import PinholeCamera
from da3_ros.geometry.prediction import FULL_EFFORT, Effort, Prediction, ViewKey
from da3_ros.inference.device import resolve_cpu_threads
from da3_ros.inference.engine import EngineError, Image, check_keys
from da3_ros.inference.network_prediction import NetworkArrays, prediction_from_network
from da3_ros.inference.onnx_file import INPUT, OUTPUTS, open_onnx_file, session_failures
from da3_ros.inference.preprocess import Preprocessor


class OnnxEngine:
    """Runs a file that `onnx_export` made. An `Engine`.

    What the file was made for rules: the number of views, their size, the reference view, the precision. It takes no
    known poses, and no less than its full effort.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        model: str = "",
        device: str = "auto",
        pose_source: str = "camera_head",
        cpu_threads: int = 0,
    ) -> None:
        """Open the file.

        Args:
            path: the file.
            model: architecture that it must hold; empty for any.
            device: auto, cpu, cuda or cuda:<index>.
            pose_source: see `DepthEstimator`; `rays` needs a file exported with them.
            cpu_threads: see `DepthEstimator`.

        Raises:
            ValueError: when the file cannot be opened or is not what is asked for.
        """
        self.path = Path(path).expanduser()
        threads = resolve_cpu_threads(cpu_threads)
        self._session, self.contents = open_onnx_file(self.path, device=device, cpu_threads=threads)
        if model not in ("", self.contents.model):
            raise ValueError(f"{self.path} holds {self.contents.model}, not {model}: change the weights or the model")
        if pose_source == "rays" and not self.contents.rays:
            raise ValueError(f"{self.path} holds no rays: export again with --rays, or use the camera head")
        self._outputs = self.contents.outputs if pose_source == "rays" else OUTPUTS
        self._preprocessor = Preprocessor(max(self.contents.size))

    def estimate(
        self,
        images: Sequence[Image],
        cameras: Sequence[PinholeCamera | None] | None = None,
        camera_from_world: npt.ArrayLike | None = None,
        keys: Sequence[ViewKey] | None = None,
        *,
        effort: Effort = FULL_EFFORT,
    ) -> Prediction:
        """See `Engine.estimate`. Known poses and views of another number or size are an EngineError."""
        check_keys(keys, len(images))
        if camera_from_world is not None:
            raise EngineError(f"{self.path.name} takes no known poses: set pose_conditioning to none, or use torch")
        views = self._preprocessor.process(images, cameras)
        self._check_shape(views.images.shape[:3])
        return prediction_from_network(views, self.answer(views.images))

    def warm_up(self, views: int, size: tuple[int, int]) -> None:
        """See `Engine.warm_up`; runs the views and the size that the file was made for, whatever is asked."""
        self.answer(np.zeros((self.contents.views, *self.contents.size, 3), dtype=np.uint8))

    def check_windows(self, cameras: int, window_size: int) -> None:
        """Raise `ValueError` unless full windows of so many cameras are what the file was made for."""
        if cameras * window_size != self.contents.views:
            raise ValueError(
                f"{self.path.name} was exported for {self.contents.shape}, but {cameras} "
                f"camera{'s' if cameras > 1 else ''} in windows of {window_size} make {cameras * window_size} views: "
                "set window_size, or export again"
            )

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        V, H, W = shape
        if shape != (self.contents.views, *self.contents.size):
            raise EngineError(
                f"{self.path.name} was exported for {self.contents.shape}, this window has {V} of {H}x{W}: "
                "set window_size, or export again"
            )

    def answer(self, images: npt.NDArray[np.uint8]) -> NetworkArrays:
        """What the network says of (V, H, W, 3) processed images of the file's shape.

        Raises:
            EngineError: when ONNX Runtime fails.
        """
        import onnxruntime

        options = onnxruntime.RunOptions()
        options.only_execute_path_to_fetches = True  # rays cost, wanted or not
        try:
            answers = self._session.run(list(self._outputs), {INPUT: images}, options)
        except session_failures() as error:
            raise EngineError(f"ONNX Runtime failed on {self.contents.shape}: {error}") from error
        return NetworkArrays(**dict(zip(self._outputs, answers, strict=True)))
