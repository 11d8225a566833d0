using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace Finery.Cli.Serving;

/// <summary>Counters of a server, and their Prometheus text exposition.</summary>
public sealed class ServerMetrics
{
    private readonly ConcurrentDictionary<int, long> _responses = new();
    private long _promptTokens, _cachedTokens, _generatedTokens, _generationMicroseconds;

    /// <summary>Counts a response.</summary>
    public void CountResponse(int status) => _responses.AddOrUpdate(status, 1, (_, count) => count + 1);

    /// <summary>Counts a generation, also one cut short.</summary>
    public void CountGeneration(int promptTokens, int cachedTokens, int generatedTokens, TimeSpan duration)
    {
        Interlocked.Add(ref _promptTokens, promptTokens);
        Interlocked.Add(ref _cachedTokens, cachedTokens);
        Interlocked.Add(ref _generatedTokens, generatedTokens);
        Interlocked.Add(ref _generationMicroseconds, (long)duration.TotalMicroseconds);
    }

    /// <summary>All figures as Prometheus text.</summary>
    public string Exposition(GenerationQueue queue)
    {
        var text = new StringBuilder();
        Add("finery_prompt_tokens_total", "counter", "Prompt tokens.", Interlocked.Read(ref _promptTokens));
        Add("finery_cached_prompt_tokens_total", "counter", "Prompt tokens known from the request before.",
            Interlocked.Read(ref _cachedTokens));
        Add("finery_generated_tokens_total", "counter", "Generated tokens.", Interlocked.Read(ref _generatedTokens));
        Add("finery_generation_seconds_total", "counter", "Time spent generating.",
            Interlocked.Read(ref _generationMicroseconds) / 1e6);
        Add("finery_requests_running", "gauge", "Requests that generate.", queue.Running);
        Add("finery_requests_waiting", "gauge", "Requests that wait.", queue.Waiting);
        text.Append("# HELP finery_responses_total Responses by status.\n# TYPE finery_responses_total counter\n");
        foreach (var (status, count) in _responses.OrderBy(pair => pair.Key))
            text.Append(CultureInfo.InvariantCulture, $"finery_responses_total{{status=\"{status}\"}} {count}\n");
        return text.ToString();

        void Add(string name, string type, string help, double value) => text.Append(
            CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n{name} {value}\n");
    }
}
