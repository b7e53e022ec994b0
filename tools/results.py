"""Copy what runs measured into results/spine/, one JSON file a row: tools/results.py [runs/NAME ...] (default: run the embedded shop first)."""
import subprocess, sys
from pathlib import Path

root = Path(__file__).resolve().parent.parent
from tmf_nb.data.core import load_json, save_json

def publish(run):
    "One file for each row of a run's table"
    m = load_json(Path(run)/"metrics.json")
    m["settings"] |= {k: Path(v).name for k, v in m["settings"].items() if k in ("data", "posters", "image_features", "text_features") and v}   # names, not places
    for name, row in m["rows"].items():
        for k, s in row["sets"].items():
            save_json(root/"results"/"spine"/f"{m['dataset']}-{k}-{m['settings']['backbone']}-{name}-s{m['seed']}.json", dict(
                study="spine", dataset=m["dataset"], candidates=k, candidates_hash=m["candidates"][k], model=row["label"], row=name, backbone=m["settings"]["backbone"], seed=m["seed"], n=s["metrics"]["n"],
                metrics=s["metrics"], per_case=s["per_case"], named=s.get("named"), examples=s.get("examples"), train_seconds=row["seconds"], steps=row.get("steps"), settings=m["settings"],
                command="tmf_nb demo", version=m["version"], data_hash=m["data_hash"], hardware=m["hardware"], seconds=m["seconds"], peak_mb=m["peak_mb"], sources=m["sources"], stages=m["stages"], date=m.get("date")))
    print(f"{run}: {len(m['rows'])} rows")

runs = sys.argv[1:]
if not runs:
    subprocess.run([Path(sys.executable).parent/"tmf_nb", "demo", "--name", "results-demo", "--resume"], check=True, cwd=root)
    runs = [root/"runs"/"results-demo"]
for r in runs: publish(r)
