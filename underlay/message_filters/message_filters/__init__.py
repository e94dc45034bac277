# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Filters that pass, keep and group messages; each calls the functions registered with it. The names are upstream's."""

from message_filters.approximate_time_synchronizer import ApproximateTimeSynchronizer as ApproximateTimeSynchronizer
from message_filters.cache import Cache as Cache
from message_filters.simple_filter import SimpleFilter as SimpleFilter
from message_filters.subscriber import Subscriber as Subscriber
from message_filters.time_synchronizer import TimeSynchronizer as TimeSynchronizer
