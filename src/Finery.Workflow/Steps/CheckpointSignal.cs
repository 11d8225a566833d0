using System.Runtime.InteropServices;

namespace Finery.Workflow.Steps;

/// <summary>SIGUSR1 asks a training run for a checkpoint, as schedulers send it some time before they end a job (Slurm:
/// <c>--signal=USR1@60</c>); the run goes on. Not on Windows, which has no such signal.</summary>
internal sealed class CheckpointSignal : IDisposable
{
    // Its number differs between systems.
    private const PosixSignal OnLinux = (PosixSignal)10, OnApple = (PosixSignal)30;

    private readonly PosixSignalRegistration? _registration;
    private int _asked;

    public CheckpointSignal()
    {
        if (OperatingSystem.IsWindows()) return;
        _registration = PosixSignalRegistration.Create(OperatingSystem.IsLinux() ? OnLinux : OnApple, context =>
        {
            context.Cancel = true;
            Interlocked.Exchange(ref _asked, 1);
        });
    }

    /// <summary>Whether the signal came since the last call.</summary>
    public bool Take() => Interlocked.Exchange(ref _asked, 0) == 1;

    public void Dispose() => _registration?.Dispose();
}
