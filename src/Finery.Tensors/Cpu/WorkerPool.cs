using System.Runtime.CompilerServices;

namespace Finery.Tensors;

/// <summary>The body of a parallel loop: a struct, so that a loop allocates nothing.</summary>
internal interface IParallelBody
{
    /// <summary>Runs one of the loop's independent tasks. Which worker runs it, and when, must not matter.</summary>
    /// <param name="task">Index of the task.</param>
    /// <param name="worker">Index of the thread in [0, threads), for scratch memory.</param>
    void Run(int task, int worker);
}

/// <summary>Persistent threads that run loops of independent tasks. One loop at a time; not re-entrant.</summary>
internal sealed unsafe class WorkerPool : IDisposable
{
    // How long an idle worker spins before it sleeps: longer than the gap between two ops of a training step.
    private const int SpinIterations = 2000;

    private readonly Thread[] _threads;
    private readonly SemaphoreSlim _wake = new(0);
    private delegate*<void*, int, int, void> _run;
    private void* _body;
    private int _tasks;
    private int _next;
    private int _running;
    private int _sleeping;
    private volatile int _generation;
    private volatile bool _stop;
    private volatile Exception? _failure;

    public WorkerPool(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        _threads = new Thread[threads - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            int worker = i + 1;
            _threads[i] = new Thread(() => Work(worker)) { IsBackground = true, Name = $"finery-{worker}" };
            _threads[i].Start();
        }
    }

    public int Threads { get; }

    /// <summary>Runs tasks 0..<paramref name="tasks"/>-1 and returns when all are done.</summary>
    public void For<TBody>(int tasks, TBody body) where TBody : struct, IParallelBody
    {
        if (tasks <= 1 || _threads.Length == 0)
        {
            for (int task = 0; task < tasks; task++) body.Run(task, 0);
            return;
        }

        // The body lives on this frame, which outlives the loop: workers reach it by address.
        _body = Unsafe.AsPointer(ref body);
        _run = &Invoke<TBody>;
        _tasks = tasks;
        _next = 0;
        _failure = null;
        Volatile.Write(ref _running, _threads.Length);
        Interlocked.Increment(ref _generation);
        int sleeping = Volatile.Read(ref _sleeping);
        if (sleeping > 0) _wake.Release(sleeping);

        Drain(0);
        var spinner = new SpinWait();
        while (Volatile.Read(ref _running) > 0) spinner.SpinOnce(-1);
        if (_failure is { } failure) throw new InvalidOperationException("A parallel kernel failed.", failure);
    }

    public void Dispose()
    {
        _stop = true;
        _wake.Release(Math.Max(1, _threads.Length));
        foreach (var thread in _threads) thread.Join();
        _wake.Dispose();
    }

    private static void Invoke<TBody>(void* body, int task, int worker) where TBody : struct, IParallelBody =>
        Unsafe.AsRef<TBody>(body).Run(task, worker);

    private void Work(int worker)
    {
        int seen = 0;
        while (true)
        {
            for (int spin = 0; _generation == seen && !_stop && spin < SpinIterations; spin++) Thread.SpinWait(20);
            if (_generation == seen && !_stop)
            {
                Interlocked.Increment(ref _sleeping);
                // Checked again after announcing sleep: a loop that started in between did not see us and will not wake us.
                if (_generation == seen && !_stop) _wake.Wait();
                Interlocked.Decrement(ref _sleeping);
            }
            if (_stop) return;
            if (_generation == seen) continue;
            seen = _generation;
            Drain(worker);
            Interlocked.Decrement(ref _running);
        }
    }

    private void Drain(int worker)
    {
        try
        {
            for (int task; (task = Interlocked.Increment(ref _next) - 1) < _tasks;) _run(_body, task, worker);
        }
        catch (Exception exception)
        {
            _failure = exception;
        }
    }
}
