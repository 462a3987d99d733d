# Lets `snakemake --cores 8` work from here; the study itself is workflow/Snakefile.
include: "workflow/Snakefile"


rule study:
    default_target: True
    input:
        rules.all.input,
