"""Which tests `make test` leaves to `make test-all`, and why. Whatever is not listed here is in both."""
import fnmatch

# {pattern of the part of a test's id after tests/: why it is not among the quick ones}
FULL_ONLY = {
    # Processes. test_protocols.py has each of these protocols once, in process, on a GAN of one variable.
    "training/test_resume.py*": "CycleGAN is killed in each kind of write, held, interrupted: a dozen processes",
    "training/test_noise_resume.py*": "each preset from latents is killed and resumed through the tool",
    "training/test_cluster.py*two_workers*": "several workers, each a process",
    "training/test_cluster.py*worker*": "several workers, each a process",
    "training/test_early_stopping.py*kill_9*": "processes that are killed",
    "training/test_divergence.py*": "processes",
    "cli/test_train_tool.py*": "tools/train.py as processes, and a whole CycleGAN",
    "cli/test_noise_tool.py*": "every preset from latents through the tool",
    "cli/test_command.py*records*": "a training as a process",
    "test_readme.py*trains_and_resumes*": "a method of the README, trained and resumed",
    "api/test_docs.py*runs*": "every block of a page of documentation",
    "api/test_docs.py*example*": "a whole example",
    "export/test_two_stacks.py*": "another environment, each call a process",
    "report/test_report_browser.py*": "a browser",
    "benchmarks/*": "the benchmark: each contestant a process",
    # Every method. One of each kind stays.
    "*test_replicas_make_the_same_update*": "each method traced twice; test_protocols.py and test_image_pool.py have two replicas",
    "gans/test_noise_choices.py*test_every_loss_with_every_penalty?cgan*": "the same with labels",
    "gans/test_noise_choices.py*test_every_preset_makes_a_step*": "every preset in both precisions",
    "training/test_precision.py*": "every network in bfloat16",
    "gans/test_semi_supervised.py*averages_of_their_own_decay*": "three networks, traced twice",
    "gans/test_semi_supervised.py*depends_on_nothing_of_the_gan*": "four trainings",
    "gans/test_cyclegan.py*test_a_step_computes_nothing_twice*_weight*": "one case of four stays",
    "gans/test_cyclegan.py*number_of_residual_blocks*": "large networks",
    "metrics/test_sliced_wasserstein.py*released_code*": "minutes of patches",
}


def reason(nodeid):
    """Why a test is not among the quick ones; None for one that is."""
    name = nodeid.split("tests/", 1)[-1]
    return next((why for pattern, why in FULL_ONLY.items() if fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))), None)
