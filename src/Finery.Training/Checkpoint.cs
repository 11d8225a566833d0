using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Finery.Models.Weights;

namespace Finery.Training;

/// <summary>What a checkpoint holds besides tensors.</summary>
/// <param name="Step">Steps done: the next one to run.</param>
/// <param name="Identity">What the run is (model, data, seed, schedule, ...): a checkpoint continues only the run it is of.</param>
/// <param name="Numbers">Counters and accumulators, kept to the last bit.</param>
public sealed record CheckpointState(
    long Step, IReadOnlyDictionary<string, string> Identity, IReadOnlyDictionary<string, double> Numbers)
{
    /// <summary>Whether the run was known to be sound when this was written, so that it may go back here. Written at fixed steps only:
    /// where a run goes back to must not depend on the clock.</summary>
    public bool Healthy { get; init; }
}

/// <summary>Which checkpoints stay on disk.</summary>
public sealed record CheckpointRetention
{
    /// <summary>How many of the newest.</summary>
    public int Newest { get; init; } = 2;

    /// <summary>How many of the newest healthy ones, for a run to go back to.</summary>
    public int Healthy { get; init; } = 2;

    /// <summary>Of the healthy ones, those at multiples of so many steps stay for good; 0 for none.</summary>
    public long MilestoneEvery { get; init; }
}

/// <summary>A checkpoint belongs to another run.</summary>
public sealed class CheckpointMismatchException(string message) : InvalidOperationException(message);

/// <summary>
/// A folder of training checkpoints, each one safetensors file that any tool opens: weights and optimizer state as tensors, the rest
/// as metadata, all under one SHA-256 which is verified before anything is restored. A file appears under its name only when whole.
/// </summary>
/// <param name="folder">Where they lie; created on the first save.</param>
/// <param name="retention">Which are kept; null for the default.</param>
public sealed class CheckpointFolder(string folder, CheckpointRetention? retention = null)
{
    private const string Prefix = "checkpoint-";
    private const string Extension = ".safetensors";
    private const string HealthyMark = "-healthy";
    private const int StepDigits = 12;

    private readonly CheckpointRetention _retention = retention ?? new();
    private const string ChecksumKey = "sha256";
    private const string StepKey = "step";
    private const string IdentityKey = "identity.";
    private const string NumberKey = "number.";

    /// <summary>Checkpoints from newest to oldest, valid or not.</summary>
    public IReadOnlyList<string> Files => !Directory.Exists(folder)
        ? []
        : [.. Directory.GetFiles(folder, Prefix + "*" + Extension)
            .Where(path => path.EndsWith(Extension, StringComparison.Ordinal)).OrderDescending(StringComparer.Ordinal)];

    /// <summary>Writes a checkpoint, then deletes all but the newest and what an interrupted write left.</summary>
    /// <param name="state">Step, identity and numbers.</param>
    /// <param name="tensors">By unique names; each is kept to the bit.</param>
    /// <returns>Path of the file.</returns>
    public string Save(CheckpointState state, IReadOnlyList<NamedTensor> tensors)
    {
        Directory.CreateDirectory(folder);
        var metadata = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["format"] = "pt",
            [StepKey] = state.Step.ToString(CultureInfo.InvariantCulture),
        };
        foreach (var (key, value) in state.Identity) metadata[IdentityKey + key] = value;
        foreach (var (key, value) in state.Numbers) metadata[NumberKey + key] = value.ToString("R", CultureInfo.InvariantCulture);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, metadata);
        foreach (var (name, tensor) in tensors.OrderBy(tensor => tensor.Name, StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes(name + "\0"));
            hash.AppendData(tensor.Bytes);
        }
        metadata[ChecksumKey] = Convert.ToHexStringLower(hash.GetHashAndReset());

        string path = Path.Combine(folder, $"{Prefix}{state.Step:D12}{(state.Healthy ? HealthyMark : "")}{Extension}");
        SafeTensorsWriter.Write(path, tensors, type: null, metadata);
        var healthy = Files.Where(IsHealthy).ToList();
        var kept = Files.Take(_retention.Newest).Union(healthy.Take(_retention.Healthy)).Union(healthy.Where(IsMilestone)).ToHashSet();
        foreach (string old in Files.Where(file => !kept.Contains(file))) File.Delete(old);
        foreach (string left in Directory.GetFiles(folder, Prefix + "*.tmp")) File.Delete(left);
        return path;
    }

    /// <summary>Deletes the checkpoints of steps after <paramref name="step"/>, the newest first: after a kill in between, a run
    /// continues on the branch that led to this.</summary>
    public void DeleteAfter(long step)
    {
        foreach (string file in Files.Where(file => StepOf(file) > step)) File.Delete(file);
    }

    /// <summary>Restores the newest checkpoint that is whole.</summary>
    /// <param name="identity">Of the run to be continued; every entry must be that of the checkpoint.</param>
    /// <param name="tensors">Overwritten, all of them or none.</param>
    /// <param name="warn">Told of each damaged checkpoint passed over.</param>
    /// <returns>The state, or null where there is no checkpoint to continue from.</returns>
    /// <exception cref="CheckpointMismatchException">The newest whole checkpoint is of another run; the message names what differs.</exception>
    public CheckpointState? Restore(
        IReadOnlyDictionary<string, string> identity, IReadOnlyList<NamedTensor> tensors, Action<string>? warn = null) =>
        Restore(Files, identity, tensors, warn);

    /// <summary>Restores the newest healthy checkpoint of a step up to <paramref name="lastStep"/> that is whole.</summary>
    /// <param name="lastStep">Steps done at most.</param>
    /// <param name="identity">As for <see cref="Restore(IReadOnlyDictionary{string, string}, IReadOnlyList{NamedTensor}, Action{string}?)"/>.</param>
    /// <param name="tensors">Overwritten, all of them or none.</param>
    /// <param name="warn">Told of each damaged checkpoint passed over.</param>
    /// <returns>The state, or null where there is none to go back to.</returns>
    public CheckpointState? RestoreHealthy(
        long lastStep, IReadOnlyDictionary<string, string> identity, IReadOnlyList<NamedTensor> tensors, Action<string>? warn = null) =>
        Restore(Files.Where(file => IsHealthy(file) && StepOf(file) <= lastStep), identity, tensors, warn);

    private static bool IsHealthy(string file) => file.EndsWith(HealthyMark + Extension, StringComparison.Ordinal);

    private bool IsMilestone(string file) => _retention.MilestoneEvery > 0 && StepOf(file) % _retention.MilestoneEvery == 0;

    /// <summary>Steps done, by the name; none where the name is somebody else's.</summary>
    private static long StepOf(string file)
    {
        string name = Path.GetFileName(file)[Prefix.Length..];
        return name.Length > StepDigits && long.TryParse(name.AsSpan(0, StepDigits), CultureInfo.InvariantCulture, out long step) ? step : 0;
    }

    private static CheckpointState? Restore(
        IEnumerable<string> files, IReadOnlyDictionary<string, string> identity, IReadOnlyList<NamedTensor> tensors, Action<string>? warn)
    {
        foreach (string path in files)
        {
            try
            {
                return Restore(path, identity, tensors);
            }
            catch (Exception exception) when (exception is InvalidDataException or IOException)
            {
                warn?.Invoke($"Checkpoint {Path.GetFileName(path)} is damaged and was passed over: {exception.Message}");
            }
        }
        return null;
    }

    private static CheckpointState Restore(
        string path, IReadOnlyDictionary<string, string> identity, IReadOnlyList<NamedTensor> tensors)
    {
        using var file = SafeTensorsFile.Open(path);
        Verify(path, file);
        var state = ReadState(path, file);
        string[] differences =
        [
            .. identity.Keys.Union(state.Identity.Keys).Order(StringComparer.Ordinal)
                .Where(key => identity.GetValueOrDefault(key) != state.Identity.GetValueOrDefault(key))
                .Select(key => $"{key} is '{identity.GetValueOrDefault(key)}', the checkpoint has '{state.Identity.GetValueOrDefault(key)}'"),
        ];
        if (differences.Length > 0)
        {
            throw new CheckpointMismatchException(
                $"{path} is of another run: {string.Join("; ", differences)}. Restore the settings, or start anew in another folder.");
        }
        int held = file.Entries.Keys.Count(name => !IsMeasurement(name)), wanted = tensors.Count(tensor => !IsMeasurement(tensor.Name));
        if (held != wanted) throw Foreign(path, $"it has {held} tensors, the run has {wanted}");
        foreach (var (name, tensor) in tensors)
        {
            if (!file.Entries.TryGetValue(name, out var entry))
            {
                if (IsMeasurement(name)) continue;
                throw Foreign(path, $"it has no tensor {name}");
            }
            if (!entry.Shape.SequenceEqual(tensor.Shape.ToArray().Select(size => (long)size)))
                throw Foreign(path, $"{name} has shape [{string.Join(", ", entry.Shape)}], the run has {tensor}");
            if (entry.Type != tensor.Type.ToString()) throw Foreign(path, $"{name} is {entry.Type}, the run has {tensor}");
        }
        foreach (var (name, tensor) in tensors.Where(tensor => file.Entries.ContainsKey(tensor.Name))) file.Read(name, tensor);
        return state;
    }

    /// <summary>What monitoring remembers: it may be switched on and off in a run, and what it lacks it begins anew.</summary>
    private static bool IsMeasurement(string name) => name.StartsWith("monitor.", StringComparison.Ordinal);

    private static void Verify(string path, SafeTensorsFile file)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, file.Metadata.Where(pair => pair.Key != ChecksumKey).OrderBy(pair => pair.Key, StringComparer.Ordinal));
        foreach (string name in file.Entries.Keys.Order(StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes(name + "\0"));
            file.ReadBytes(name, hash.AppendData);
        }
        if (file.Metadata.GetValueOrDefault(ChecksumKey) != Convert.ToHexStringLower(hash.GetHashAndReset()))
            throw new InvalidDataException($"{Path.GetFileName(path)}: the SHA-256 does not match the content.");
    }

    private static CheckpointState ReadState(string path, SafeTensorsFile file)
    {
        var identity = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var numbers = new SortedDictionary<string, double>(StringComparer.Ordinal);
        try
        {
            foreach (var (key, value) in file.Metadata)
            {
                if (key.StartsWith(IdentityKey, StringComparison.Ordinal)) identity[key[IdentityKey.Length..]] = value;
                if (key.StartsWith(NumberKey, StringComparison.Ordinal))
                    numbers[key[NumberKey.Length..]] = double.Parse(value, CultureInfo.InvariantCulture);
            }
            return new(long.Parse(file.Metadata[StepKey], CultureInfo.InvariantCulture), identity, numbers);
        }
        catch (Exception exception) when (exception is FormatException or KeyNotFoundException or OverflowException)
        {
            throw new InvalidDataException($"{Path.GetFileName(path)} is not a training checkpoint: {exception.Message}", exception);
        }
    }

    private static void Append(IncrementalHash hash, IEnumerable<KeyValuePair<string, string>> metadata)
    {
        foreach (var (key, value) in metadata) hash.AppendData(Encoding.UTF8.GetBytes($"{key}\0{value}\0"));
    }

    private static CheckpointMismatchException Foreign(string path, string what) =>
        new($"{path} is of another run: {what}. Start anew in another folder.");
}
