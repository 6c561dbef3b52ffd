"""How a side of `npm run bench:peers` answers: one JSON request a line from stdin, one JSON answer a line to stdout."""
import json
import sys
import traceback


def serve(side):
    # What libraries print goes to stderr: stdout is for answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(side, request.pop('op'))(**request)
        except Exception as error:
            text = str(error).strip().splitlines()
            answer = {'error': f'{type(error).__name__}: {text[0] if text else "no message"}'}
            traceback.print_exc()
        print(json.dumps(answer), file=answers, flush=True)
