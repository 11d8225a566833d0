using Finery.Models.Weights;
using Finery.Tensors;
using Finery.Training;
using Xunit;

namespace Finery.Tests.Training;

public sealed class CheckpointTests : IDisposable
{
    private static readonly Dictionary<string, string> Identity = new() { ["seed"] = "42", ["data"] = "abc" };

    private readonly TemporaryFolder _folder = new();
    private readonly Arena _arena = new("test");
    private readonly List<NamedTensor> _tensors = [];
    private readonly CheckpointFolder _checkpoints;

    public CheckpointTests()
    {
        _checkpoints = new(_folder.Path);
        _tensors.Add(new("a", _arena.Floats("a", 3, 5)));
        _tensors.Add(new("b", _arena.Floats("b", 7)));
    }

    public void Dispose()
    {
        _arena.Dispose();
        _folder.Dispose();
    }

    private string Save(long step)
    {
        Fill(step);
        return _checkpoints.Save(new(step, Identity, new Dictionary<string, double> { ["x"] = step / 3.0 }), _tensors);
    }

    private void Fill(float value)
    {
        foreach (var (_, tensor) in _tensors) tensor.Floats.Fill(value);
    }

    [Fact]
    public void What_is_saved_is_restored_to_the_last_bit()
    {
        Save(7);
        _tensors[0].Tensor.Floats[3] = float.NaN;
        Fill(-1);
        var state = _checkpoints.Restore(Identity, _tensors);
        Assert.Equal(7, state!.Step);
        Assert.Equal(7 / 3.0, state.Numbers["x"]);
        Assert.All(_tensors, tensor => Assert.All(tensor.Tensor.Floats.ToArray(), value => Assert.Equal(7, value)));
    }

    [Fact]
    public void The_two_newest_are_kept()
    {
        for (int step = 8; step <= 12; step++) Save(step);
        Assert.Equal(["checkpoint-000000000012.safetensors", "checkpoint-000000000011.safetensors"], _checkpoints.Files.Select(Path.GetFileName));
    }

    [Theory]
    [InlineData("truncated")]
    [InlineData("data bit")]
    [InlineData("metadata")]
    [InlineData("empty")]
    public void A_damaged_checkpoint_is_passed_over_with_a_warning(string damage)
    {
        Save(1);
        string newest = Save(2);
        byte[] bytes = File.ReadAllBytes(newest);
        if (damage == "truncated") bytes = bytes[..^9];
        if (damage == "empty") bytes = [];
        if (damage == "data bit") bytes[^5] ^= 1;
        if (damage == "metadata")
        {
            int at = bytes.AsSpan().IndexOf("\"step\":\"2\""u8);
            bytes[at + 8] = (byte)'9';
        }
        File.WriteAllBytes(newest, bytes);
        var warnings = new List<string>();
        var state = _checkpoints.Restore(Identity, _tensors, warnings.Add);
        Assert.Equal(1, state!.Step);
        Assert.Equal(1, _tensors[0].Tensor.Floats[0]);
        Assert.Contains("checkpoint-000000000002", Assert.Single(warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void A_crash_between_writing_and_renaming_changes_nothing()
    {
        string path = Save(3);
        string left = Path.Combine(_folder.Path, "checkpoint-000000000004.safetensors.tmp");
        File.WriteAllBytes(left, File.ReadAllBytes(path)[..50]);
        Assert.Equal(3, _checkpoints.Restore(Identity, _tensors)!.Step);
        Save(5);
        Assert.False(File.Exists(left));
    }

    [Fact]
    public void Another_run_is_refused_with_what_differs()
    {
        Save(1);
        Fill(-1);
        var error = Assert.Throws<CheckpointMismatchException>(
            () => _checkpoints.Restore(new Dictionary<string, string>(Identity) { ["seed"] = "43" }, _tensors));
        Assert.Contains("seed is '43', the checkpoint has '42'", error.Message, StringComparison.Ordinal);
        Assert.Equal(-1, _tensors[0].Tensor.Floats[0]);
        Assert.Throws<CheckpointMismatchException>(() => _checkpoints.Restore(Identity, _tensors[..1]));
        Assert.Throws<CheckpointMismatchException>(
            () => _checkpoints.Restore(Identity, [_tensors[0], new("b", _arena.Floats("b", 8))]));
    }

    [Fact]
    public void No_checkpoint_is_no_error() =>
        Assert.Null(new CheckpointFolder(Path.Combine(_folder.Path, "absent")).Restore(Identity, _tensors));
}
