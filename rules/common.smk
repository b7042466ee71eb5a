# What the rules ask, as Snakemake calls for it: by wildcards. Commands name files, so they take `input` as well, and
# Snakemake counts them as derived: another place is no reason to run again.


def asked(job_of, fact):
    """A fact of the job that wildcards stand for."""
    return lambda wildcards: fact(job_of(wildcards))


def asked_with_files(job_of, fact):
    """The same where the fact names files."""
    return lambda wildcards, input: fact(job_of(wildcards))


def demanded(job_of, name):
    """What the job that wildcards stand for asks of the machine."""
    return lambda wildcards: artefacts.demands(job_of(wildcards))[name]


def gate(job):
    """What a job waits for: nothing is pruned or searched before a published dense perplexity was met."""
    return measurements.gate(artefacts, job.axes["model"]) if job.gated else []


def everything(wildcards):
    """All cores of this machine, so that nothing runs beside a job; elsewhere the scheduler has to see to that."""
    return workflow.resource_settings.cores or artefacts.machine.threads(wildcards.model)


def filled(document):
    """A document's command."""
    return lambda wildcards, input, output: document.words(wildcards, dict(input.items()), output[0])


def in_report(document):
    """A document's files; of those that report.html shows, caption and label bear the name of their wildcard."""
    (kind,) = re.findall(r"\{(\w+)\}", document.outputs[0]) if document.shown else [""]
    about = {"caption": f"../docs/report/{kind}.rst", "category": document.category}

    def shown(path):
        return report(path, **about, labels={"page": f"{{{kind}}}", "as": path.rpartition(".")[2].upper()})

    return [*map(shown, document.outputs[: document.shown]), *document.outputs[document.shown :]]
