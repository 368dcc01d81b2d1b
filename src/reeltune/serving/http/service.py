"""The bundle that is served, which may be replaced at any moment.

A new bundle is read beside the old one and put in its place between two requests; those under way finish
with the one they began with.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from ctypes import c_int
from pathlib import Path

from reeltune.errors import UserError
from reeltune.serving.http.schema import Reloaded
from reeltune.serving.recommend.coalesced import CoalescedRecommender

WATCH_SECONDS = 0.2
"""Time between two looks at the wishes to reload."""


class Service:
    """A bundle, read again whenever that is wished for."""

    def __init__(
        self,
        directory: Path,
        engine: str = "auto",
        *,
        wishes: c_int | None = None,
        notify: Callable[[str], None] = lambda _: None,
        parent: int | None = None,
    ) -> None:
        """Read the bundle in ``directory``, whose scores ``engine`` computes.

        ``wishes`` counts how often a reload was wished for, seen by all processes of a service. ``notify``
        receives a line for each new bundle. When the process with the id ``parent`` is gone, this one ends.
        """
        self._directory, self._engine = directory, engine
        self._wishes = c_int(0) if wishes is None else wishes
        self._notify, self._parent = notify, parent
        self._reloading = threading.Lock()
        self._n_granted = self._wishes.value
        self.recommender = CoalescedRecommender.load(directory, engine)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the weights that are used."""
        return str(self.recommender.bundle.manifest["files"]["weights.safetensors"]["sha256"])

    def reload(self, *, is_wish: bool = False) -> Reloaded:
        """Read the bundle again and put it in place; on an error the old one stays.

        A wish has the other processes do the same.
        """
        with self._reloading:
            n_wishes, before = self._wishes.value, self.fingerprint
            self._n_granted = n_wishes
            self.recommender = CoalescedRecommender.load(self._directory, self._engine)
            if is_wish:
                self._wishes.value += 1
                if self._wishes.value == n_wishes + 1:  # else another one wishes for a still newer bundle
                    self._n_granted = n_wishes + 1
            return Reloaded(bundle=self.fingerprint, is_changed=before != self.fingerprint)

    async def watch(self) -> None:
        """Reload when it is wished for, until this process ends; end it when its parent is gone."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self._parent is not None and os.getppid() != self._parent:
                signal.raise_signal(signal.SIGTERM)
                return
            if self._wishes.value == self._n_granted:
                continue
            try:
                reloaded = await asyncio.to_thread(self.reload)
            except UserError as error:
                self._notify(f"the old bundle stays: {error}")
                continue
            is_new = reloaded.is_changed
            self._notify("new bundle in place" if is_new else "the bundle is the same as before")
