"""Faults in a real model, by words in its input. Python loads this where its folder is on PYTHONPATH; only tests do."""

import ctypes
import importlib.util
import os
import signal
import sys
import time


def fail(word):
    """Does what the word says; comes back from none but a word that says nothing."""
    if word == "SEGFAULT":
        ctypes.string_at(0)
    elif word == "EXIT":
        os._exit(7)
    elif word == "KILL":
        os.kill(os.getpid(), signal.SIGKILL)
    elif word == "HANG":
        time.sleep(3600)
    elif word == "SEIZE":  # PyDLL keeps Python's global lock: no other thread of the process runs
        ctypes.PyDLL(None).sleep(3600)
    elif word == "HOG":
        hoard = []
        while True:
            hoard.append(b"x" * (16 << 20))
            time.sleep(0.01)
    elif word == "RAISE":
        raise RuntimeError("index out of range in self")
    elif word == "MEMORY":
        raise MemoryError("no more")


class Finder:
    """Wraps `Predictor.predict` when its module is imported."""

    def find_spec(self, name, path=None, target=None):
        if name != "kgmill.extractor.predict":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            predict = module.Predictor.predict

            def faulty(predictor, sentences, *others):
                for word in (word for words in sentences for word in words):
                    fail(word)
                return predict(predictor, sentences, *others)

            module.Predictor.predict = faulty

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Finder())
