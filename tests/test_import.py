"What a notebook cannot check about the package: imports in a fresh process"
import subprocess, sys

def fresh(code):
    r = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr[-2000:]
    return r.stdout.strip()

def test_import_is_light():
    out = fresh("import time; t=time.perf_counter(); import tmf_nb, sys; print(time.perf_counter()-t, 'torch' in sys.modules)")
    seconds, torch = out.split()
    assert float(seconds) < .3 and torch == "False"

def test_torchvision_transformers_and_open_clip_import_together():
    assert fresh("import tmf_nb, torchvision, open_clip; from transformers import LlamaForCausalLM; from torchvision.transforms import Resize; print('fine')") == "fine"

def test_guard_does_not_declare_twice():
    assert fresh("import tmf_nb, torch, torchvision; print(len([n for n in torch._C._dispatch_get_all_op_names() if n=='torchvision::nms']))") == "1"

def test_help_needs_no_torch():
    assert fresh("import sys; from tmf_nb.practice.cli import parser; parser(); print('torch' in sys.modules)") == "False"
