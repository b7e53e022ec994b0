"Triple Modality Fusion as a book and a library"
__version__ = "0.0.1"

import importlib.abc, importlib.machinery, importlib.util, sys


def _declare_torchvision_ops():
    """A torchvision compiled for another torch cannot load its operators, and its import then stops at `torchvision::nms`.

    Declaring the two schemas makes its Python parts importable. Where the compiled operators do load, nothing is declared."""
    import torch
    spec = importlib.machinery.PathFinder.find_spec("torchvision", None)
    if spec is None or not spec.submodule_search_locations: return None
    ext = importlib.machinery.PathFinder.find_spec("torchvision._C", list(spec.submodule_search_locations))
    if ext is not None and ext.origin:
        try: torch.ops.load_library(ext.origin)
        except (OSError, RuntimeError): pass
    lib = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not torch._C._dispatch_has_kernel(f"torchvision::{name}") and f"torchvision::{name}" not in torch._C._dispatch_get_all_op_names():
            lib.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return lib  # must stay alive as long as the schemas are used


class _TorchvisionGuard(importlib.abc.MetaPathFinder):
    "Runs `_declare_torchvision_ops` once, when somebody first imports torchvision"
    kept = None

    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            _TorchvisionGuard.kept = _declare_torchvision_ops()
        return None


if "torchvision" not in sys.modules: sys.meta_path.insert(0, _TorchvisionGuard())
