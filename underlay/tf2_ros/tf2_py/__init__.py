# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The transform tree without ROS communication: what upstream's compiled tf2_py offers."""

from tf2_py.buffer_core import BufferCore as BufferCore
from tf2_py.exceptions import ConnectivityException as ConnectivityException
from tf2_py.exceptions import ExtrapolationException as ExtrapolationException
from tf2_py.exceptions import InvalidArgumentException as InvalidArgumentException
from tf2_py.exceptions import LookupException as LookupException
from tf2_py.exceptions import TimeoutException as TimeoutException
from tf2_py.exceptions import TransformException as TransformException
