"""The offline stack that commands use where no variables say which stack they are to use."""

from background_jobs.cli.reporting import print_note


def use_stack_of_project() -> None:
    """Have this command use the stack of its project, unless the variables name another, and say so.

    Raises StackOfOtherProject where they name the offline stack of another project, and NoStackOfProject
    where none is up.
    """
    from background_jobs.aws import clients
    from background_jobs.settings import Settings

    if Settings.has_any() and not clients.on_emulator():
        return
    try:
        from background_jobs.local_stack.attaching import attach
        from background_jobs.local_stack.projects import find_project
    except ImportError:  # the offline stack is an extra
        return
    project = find_project()
    if attach(project):
        print_note(f"Using the offline stack of {project}.")
