namespace Finery.Cli.Serving;

/// <summary>Lets one request generate at a time, in order of arrival, and refuses those that would wait behind too
/// many.</summary>
/// <param name="limit">Most requests that may wait.</param>
public sealed class GenerationQueue(int limit) : IDisposable
{
    private readonly SemaphoreSlim _slot = new(1, 1);
    private int _waiting;
    private int _running;

    /// <summary>Requests that wait.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>Requests that generate: 0 or 1.</summary>
    public int Running => Volatile.Read(ref _running);

    /// <summary>Waits for the turn.</summary>
    /// <returns>Ends the turn when disposed.</returns>
    /// <exception cref="ApiException">429: the queue is full.</exception>
    public async Task<IDisposable> Enter(CancellationToken cancellation)
    {
        if (!_slot.Wait(0, CancellationToken.None))
        {
            if (Interlocked.Increment(ref _waiting) > limit)
            {
                Interlocked.Decrement(ref _waiting);
                throw new ApiException(429, $"{limit} requests are waiting already. Try again later.", "rate_limit_error",
                    code: "queue_full");
            }
            try
            {
                await _slot.WaitAsync(cancellation);
            }
            finally
            {
                Interlocked.Decrement(ref _waiting);
            }
        }
        Interlocked.Increment(ref _running);
        return new Turn(this);
    }

    /// <inheritdoc/>
    public void Dispose() => _slot.Dispose();

    private sealed class Turn(GenerationQueue queue) : IDisposable
    {
        private bool _ended;

        public void Dispose()
        {
            if (_ended) return;
            _ended = true;
            Interlocked.Decrement(ref queue._running);
            queue._slot.Release();
        }
    }
}
