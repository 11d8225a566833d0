namespace Finery.Workflow.Runs;

/// <summary>Exit codes of the command line. Scripts and schedulers rely on them: they never change.</summary>
public enum ExitCode
{
    /// <summary>Everything asked for was done, or was done before.</summary>
    Ok = 0,

    /// <summary>A step failed, and nothing beside what led to it was finished.</summary>
    Failure = 1,

    /// <summary>The command line or the recipe is wrong.</summary>
    Usage = 2,

    /// <summary>Something that must be installed or present is not.</summary>
    MissingPrerequisite = 3,

    /// <summary>A check or gate failed.</summary>
    CheckFailed = 4,

    /// <summary>Training diverged and remediation was used up.</summary>
    Diverged = 5,

    /// <summary>A step failed, but steps it does not depend on are finished.</summary>
    Partial = 6,

    /// <summary>Stopped on request; the same command continues (<c>EX_TEMPFAIL</c>, what schedulers requeue on).</summary>
    Interrupted = 75,

    /// <summary>Ended by a second Ctrl-C.</summary>
    SigInt = 130,

    /// <summary>Ended by a second SIGTERM.</summary>
    SigTerm = 143,
}

/// <summary>Thrown by a step that fails for a reason with an exit code of its own: a missing program (3), a gate (4), divergence
/// (5).</summary>
/// <param name="code">What the command exits with.</param>
/// <param name="message">One line for the user: what was wrong, where, what to do.</param>
public sealed class StepFailedException(ExitCode code, string message) : Exception(message)
{
    /// <summary>What the command exits with.</summary>
    public ExitCode Code => code;
}
