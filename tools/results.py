"""Copy what runs measured into results/STUDY/, one JSON file a row: tools/results.py [--study spine] [runs/NAME ...] (default: run the embedded shop first)."""
import argparse, subprocess, sys
from pathlib import Path

root = Path(__file__).resolve().parent.parent
from tmf_nb.data.core import load_json, save_json
from tmf_nb.practice.run import records

def publish(run):
    "One file for each row of a run's table"
    found = {n: r for n, r in records(load_json(Path(run)/"metrics.json"), args.study).items() if not args.rows or r["row"] in args.rows}
    for name, r in found.items():
        whole = r["row"] in ("text", "behavior") and (r.get("trained") or {}).get("lora_r")==0 and not args.suffix     # not the row of that name that has LoRA
        row = r["row"]+("-whole" if whole else args.suffix)
        save_json(root/"results"/args.study/name.replace(f"-{r['row']}-s", f"-{row}-s"), r | dict(row=row, model=r["model"]+args.note))
    print(f"{run}: {len(found)} files")

p = argparse.ArgumentParser(description=__doc__)
p.add_argument("--study", default="spine", help="which question the runs answer: the folder in results/")
p.add_argument("--rows", nargs="+", help="only these")
p.add_argument("--suffix", default="", help="of the rows' names, for runs under other settings, e.g. -whole")
p.add_argument("--note", default="", help="of their labels, e.g. ', all weights tuned'")
p.add_argument("runs", nargs="*")
args = p.parse_args()
if args.suffix and not args.rows: p.error("--suffix goes with --rows: the other rows keep their names")
runs = args.runs
if not runs:
    subprocess.run([Path(sys.executable).parent/"tmf_nb", "demo", "--name", "results-demo", "--resume"], check=True, cwd=root)
    runs = [root/"runs"/"results-demo"]
for r in runs: publish(r)
