"""Which tests `make test` leaves to `make test-all`, and why. Whatever is not listed here is in both."""
import fnmatch

# {fixture: why the tests that use it are not among the quick ones}
FIXTURES = {"pairs": "several workers, each a process; what a worker computes is tested in process"}
# {pattern of the part of a test's id after tests/, in which [ is typed as ?: why}
FULL_ONLY = {
    # Processes. training/test_protocols.py has each of these protocols once, in process, on a GAN of one variable.
    "training/test_resume.py*": "CycleGAN is killed in each kind of write, held, interrupted: a dozen processes",
    "training/test_noise_resume.py*": "each preset from latents is killed and resumed through the tool",
    "training/test_resume_refused.py*": "a run as a process, of which each file is damaged in turn",
    "training/test_early_stopping.py*kill*": "kills between each two writes, and processes that are killed",
    "training/test_early_stopping.py*test_an_older_run*": "three trainings",
    "training/test_divergence.py*": "processes",
    "training/test_cluster.py*test_a_refused_worker*": "two processes",
    "training/test_cluster.py*test_a_worker_that_waits*": "processes that wait",
    "cli/test_train_tool.py*": "tools/train.py as processes, and a whole CycleGAN",
    "cli/test_translation_tools.py*": "every method that translates, through the tools",
    "cli/test_noise_tool.py*": "every preset from latents through the tool",
    "cli/test_evaluate_tool.py*": "runs that are trained, evaluated and exported through the tools",
    "cli/test_classify_tool.py*": "the same of classifiers",
    "cli/test_command.py*recorded*": "a training as a process",
    "test_commands.py*work_as_typed*": "every command of every page, on runs that are trained for it",
    "test_commands.py*test_python_*": "blocks of Python that train",
    "test_readme.py*trains_and_resumes*": "a method of the README, trained and resumed",
    "api/test_docs.py*runs*": "every block of a page of documentation",
    "api/test_docs.py*example*": "a whole example",
    "test_notebooks.py*top_to_bottom*": "every notebook, several trainings each",
    "cli/test_adaptation_tool.py*": "runs through the tools; the stages are in gans/test_cycada.py",
    "export/test_formats.py*each_model*": "every model in every format; two of their own tests stay",
    "export/test_formats.py*without_tensorflow?*facades*": "a model from noise stays",
    "models/test_generation.py*plain_tensorflow*": "a process without the package",
    "models/test_classification.py*plain_tensorflow*": "a process without the package",
    "export/test_two_stacks.py*": "another environment, each call a process",
    "report/test_report_browser.py*": "a browser",
    "webpage/test_web_export.py*": "a browser",
    "serving/test_served_page.py*": "a browser",
    "cli/test_serve_tool.py*begun*": "processes that are stopped",
    "benchmarks/*": "the benchmark: each contestant a process",
    "training/test_nothing_is_lost.py*after_any_interruptions*": "drawn kills; test_protocols.py has each kind",
    "training/test_nothing_is_lost.py*any_drawn_name*": "names that are drawn; the listed ones stay",
    "gans/test_accumulation.py*on_several_machines*": "replicas that share a part stay",
    # Every method, every combination. One of each kind stays.
    "*test_replicas_make_the_same_update*": "each method traced twice; test_protocols.py and test_image_pool.py have two",
    "gans/test_progressive.py*one_and_two_replicas*": "the same over all levels",
    "gans/test_progressive.py*each_level_is_compiled_once*": "five graphs",
    "gans/test_progressive.py*figures_in_training*": "an evaluation at each level",
    "gans/test_noise_choices.py*every_loss_with_every_penalty?cgan*": "the same with labels",
    "gans/test_noise_choices.py*every_loss_with_every_penalty?gan-[mlwh]*": "two losses of six stay",
    "gans/test_noise_choices.py*test_every_preset_makes_a_step*": "every preset in both precisions",
    "training/test_precision.py*": "every network in bfloat16",
    "gans/test_accumulation.py*of_the_whole?[!g]*": "one method of all stays",
    "gans/test_accumulation.py*share_each_part?[!g]*": "one method of all stays",
    "gans/test_jit.py*is_the_same?[!g]*": "one method of all stays; XLA takes a minute for some",
    "gans/test_placement.py*on_its_device?[!g]*": "one method of all stays",
    "gans/test_jit.py*now_and_then*": "graphs that XLA compiles",
    "gans/test_float16.py*near_those?[!g]*": "one method of all stays",
    "gans/test_float16.py*left_out?2*": "one replica stays",
    "gans/test_latent_gan.py*gradient_clip?cgan*": "the same with labels",
    "gans/test_semi_supervised.py*averages_of_their_own_decay*": "three networks, traced twice",
    "gans/test_semi_supervised.py*depends_on_nothing_of_the_gan*": "four trainings",
    "gans/test_semi_supervised.py*two_gradients?3.0*": "another weight of the same sum",
    "gans/test_semi_supervised.py*variables_only?separate*": "one of the two ways of updating stays",
    "gans/test_semi_supervised.py*follow_the_epochs*": "test_schedules' tables on a whole GAN",
    "gans/test_semi_supervised.py*pretraining*": "test_latent_gan.py has pretraining",
    "gans/test_augmentation.py*now_and_then*?dcgan*": "the same with batch normalization, and with augmentation",
    "gans/test_augmentation.py*now_and_then*?sgan*": "the same with other updates",
    "gans/test_augmentation.py*now_and_then*?progan*": "the same with levels",
    "gans/test_augmentation.py*replicas_see_and_adapt_the_same?2*": "one update a step stays",
    "networks/test_networks.py*fast_*?*256*": "large networks",
    "networks/test_networks.py*fast_*?*512*": "large networks",
    "training/test_beginning.py*exports_of_every*?[cs]gan*": "three methods of five stay",
    "training/test_beginning.py*separate_updates*": "the filter is that of the other update",
    "training/test_beginning.py*frozen_layers?3*": "one convolution stays",
    "training/test_beginning.py*averages_begin*": "three runs; other tests begin with weights of runs and exports",
    "training/test_beginning.py*goes_on_with_its_own*": "four trainings",
    "gans/test_translating.py*in_bfloat16*": "every network in bfloat16",
    "gans/test_translating.py*depends_on?augmented*": "cut has the same parts, but the styles and pools",
    "gans/test_translating.py*depends_on?cyclegan*": "cut has the same parts, but the pools, which test_cyclegan.py has",
    "gans/test_translating.py*depends_on?fastcut*": "the same with other options",
    "gans/test_translating.py*depends_on?pix2pix*": "cut has the same parts",
    "gans/test_cyclegan.py*computes_nothing_twice*_weight*": "one case of four stays",
    "gans/test_cyclegan.py*number_of_residual_blocks*": "large networks",
    "evaluation/test_translated.py*": "CycleGANs, of which every metric is computed anew",
    "evaluation/test_generated.py*?cgan?": "the same with labels",
    "evaluation/test_generated.py*read_once_for_all*": "four evaluations",
    "evaluation/test_generated.py*export_has*": "an export, evaluated like its run",
    "evaluation/test_classified.py*a_training*": "trainings that watch their accuracy",
    "api/test_train.py*test_labels?labels[12]*": "one form of labels of three stays",
    "api/test_train.py*own_network_that_translates*": "networks of one's own for another method stay",
    "api/test_train.py*two_kinds*": "a CycleGAN, used in every way",
    "metrics/test_sliced_wasserstein.py*released_code*": "minutes of patches",
}

# {the same pattern: why one stack is enough}: what `--second-stack` leaves out, where the first lane has run it
ONE_STACK = {
    "benchmarks/*": "the benchmark's tables and processes; its networks are the package's",
    "core/*": "files, colours, names: no networks",
    "data/test_synthetic*": "pictures that numpy and Pillow draw",
    "metrics/test_neighbors.py*": "numpy alone",
    "metrics/test_similarity.py*": "numpy alone",
    "metrics/test_sliced_wasserstein.py*": "numpy alone",
    "metrics/test_statistics.py*": "numpy alone",
    "report/*": "pages made of files that are the same on both stacks, and a browser",
    "serving/*": "HTTP and JSON around signatures, which have tests of their own",
    "cli/test_serve_tool.py*": "the same",
    "webpage/*": "JavaScript, and a browser",
    "export/test_formats.py*?web-*": "ONNX, which has tests on both, in a script",
    "cli/test_doctor.py*": "no networks",
    "training/test_resume.py*": "where a kill strikes; that a resumed run is the same is in test_noise_resume.py",
    "training/test_early_stopping.py*kill*": "the same",
    "gans/test_accumulation.py*of_the_whole?[!g]*": "threads and sums, which one method of all has on both",
    "gans/test_float16.py*near_those?[!g]*": "one method of all is on both",
    "gans/test_placement.py*on_its_device?[!g]*": "one method of all is on both",
    "gans/test_translating.py*depends_on*": "runs that are killed and gone on with are on both",
    "gans/test_translating.py*in_bfloat16*": "the networks of GANs from noise are on both",
    "evaluation/test_translated.py*": "files and tables; each metric has tests of its own on both",
    "test_notebooks.py*": "the Python face, which test_train.py has on both",
    "test_figures.py*": "texts",
    "api/test_docs.py*top_to_bottom*": "test_train.py has each of these calls on both",
}


def reason(item):
    """Why a test is not among the quick ones; None for one that is."""
    for name, why in FIXTURES.items():
        if name in item.fixturenames:
            return why
    return _listed(item, FULL_ONLY)


def one_stack(item):
    """Why a test need not run on a second stack; None for one that must."""
    return _listed(item, ONE_STACK)


def _listed(item, patterns):
    name = item.nodeid.split("tests/", 1)[-1]
    return next((why for pattern, why in patterns.items() if fnmatch.fnmatchcase(name, pattern)), None)
