using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Finery.Cli.Terminal;
using Finery.Data.Readers;
using Finery.Tensors;

namespace Finery.Cli.Commands;

/// <summary>How a check came out.</summary>
public enum CheckState
{
    /// <summary>Fine.</summary>
    Pass,

    /// <summary>Works, but something is missing or slow.</summary>
    Warn,

    /// <summary>The main job cannot run.</summary>
    Fail,
}

/// <summary>One finding about this machine.</summary>
/// <param name="Group">What it belongs to.</param>
/// <param name="Name">What was looked at.</param>
/// <param name="State">How it came out.</param>
/// <param name="Detail">What was found.</param>
/// <param name="Fix">What to do where it is not fine.</param>
public sealed record DoctorCheck(string Group, string Name, CheckState State, string Detail, string Fix);

/// <summary>Looks at this machine: what the main job needs, and what optional parts could use.</summary>
public static class DoctorChecks
{
    private const long GiB = 1L << 30;

    /// <summary>All checks, group by group.</summary>
    public static IEnumerable<DoctorCheck> All()
    {
        yield return Runtime();
        yield return Sdk();
        yield return Instructions();
        yield return Cores();
        yield return Memory();
        yield return Disk();
        yield return Writable();
        yield return Documentation();
        yield return Program("pdftotext", "poppler-utils", "reading PDF files");
        yield return Program("tesseract", "tesseract-ocr", "reading scanned PDF files");
        yield return Bf16();
        yield return OneDnn();
        yield return Library("OpenBLAS",
            ["libopenblas.so.0", "libopenblas.dylib", "libopenblas.dll"], "libopenblas0-pthread", "comparing kernels in " +
                "benchmarks");
    }

    private static DoctorCheck Runtime() => new(
        ".NET", "runtime", CheckState.Pass, $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.RuntimeIdentifier}",
        "Install .NET 10 or later.");

    private static DoctorCheck Sdk()
    {
        string root = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        string folder = Path.Combine(root, "sdk");
        string[] versions = Directory.Exists(folder)
            ? [.. Directory.GetDirectories(folder).Select(path => Path.GetFileName(path)).Order()] : [];
        var state = versions.Any(version => version.StartsWith("10.", StringComparison.Ordinal)) ? CheckState.Pass
            : CheckState.Warn;
        return new(".NET", "SDK", state, versions.Length > 0 ? $"{string.Join(", ", versions)} in {root}" : $"none in {root}",
            "Install the .NET 10 SDK: building Finery needs it, and its documentation is the text of the quickstart.");
    }

    private static DoctorCheck Instructions()
    {
        var found = new List<string>();
        if (Vector512.IsHardwareAccelerated) found.Add("512-bit vectors");
        else if (Vector256.IsHardwareAccelerated) found.Add("256-bit vectors");
        else if (Vector128.IsHardwareAccelerated) found.Add("128-bit vectors");
        if (Avx512F.IsSupported) found.Add("AVX-512");
        if (Avx2.IsSupported) found.Add("AVX2");
        if (Fma.IsSupported) found.Add("FMA");
        if (AdvSimd.IsSupported) found.Add("AdvSimd");
        bool quick = Vector256.IsHardwareAccelerated || AdvSimd.IsSupported;
        string architecture = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        string vectors = found.Count > 0 ? string.Join(", ", found) : "no vectors";
        return new("machine", "instructions", quick ? CheckState.Pass : CheckState.Warn, $"{architecture}: {vectors}",
            "Training works but is slow without 256-bit vectors (AVX2) or AdvSimd: use another machine, and check that no " +
                "DOTNET_Enable... variable switches them off.");
    }

    private static DoctorCheck Bf16()
    {
        string? reason = NativeProducts.Bf16UnsupportedReason;
        return new("optional", "bf16 products", reason is null ? CheckState.Pass : CheckState.Warn,
            reason is null ? "AVX512-BF16, by a kernel assembled at start-up" : $"in single precision: {reason}",
            "Only for speed with 'precision: bf16', which saves memory everywhere: AMD Zen 4 or Intel Sapphire Rapids and later have them.");
    }

    private static DoctorCheck OneDnn()
    {
        string? version = NativeProducts.OneDnnVersion(out string? reason);
        return new("optional", "oneDNN", version is null ? CheckState.Warn : CheckState.Pass, version ?? reason!,
            "Only for comparing kernels in benchmarks. On Debian: apt-get install libdnnl2");
    }

    private static DoctorCheck Cores()
    {
        int cores = Environment.ProcessorCount;
        var state = cores >= 2 ? CheckState.Pass : CheckState.Warn;
        return new("machine", "cores", state, cores.ToString(CultureInfo.InvariantCulture),
            "With one core everything works, but takes twice as long as the two cores the quickstart is measured on.");
    }

    private static DoctorCheck Memory()
    {
        long bytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        var state = bytes >= 3 * GiB ? CheckState.Pass : bytes >= 1 * GiB ? CheckState.Warn : CheckState.Fail;
        return new("machine", "memory", state, $"{Quantities.Bytes(bytes)} available to this process",
            "The quickstart wants 3 GiB: free memory, raise the container's limit, or plan fewer --minutes for a smaller model.");
    }

    private static DoctorCheck Disk()
    {
        try
        {
            long bytes = new DriveInfo(Path.GetFullPath(Environment.CurrentDirectory)).AvailableFreeSpace;
            var state = bytes >= 2 * GiB ? CheckState.Pass : bytes >= GiB / 2 ? CheckState.Warn : CheckState.Fail;
            return new("machine", "disk", state,
                $"{Quantities.Bytes(bytes)} free here", "A quickstart run wants 2 GiB: free some, or use --out on another disk.");
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return new("machine", "disk", CheckState.Warn, $"unknown: {problem.Message}", "Check by hand that 2 GiB are free.");
        }
    }

    private static DoctorCheck Writable()
    {
        string probe = Path.Combine(Environment.CurrentDirectory, $".finery-{Environment.ProcessId}.tmp");
        try
        {
            File.WriteAllText(probe, "");
            File.Delete(probe);
            return new("machine", "working folder", CheckState.Pass,
                $"{Environment.CurrentDirectory} can be written", "Change to a folder that can be written.");
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return new("machine", "working folder", CheckState.Warn,
                problem.Message, "Runs are written below the working folder: change to another, or use --out.");
        }
    }

    private static DoctorCheck Documentation()
    {
        const string Fix = "Install the .NET SDK (not only the runtime), or give quickstart your own text with --input.";
        try
        {
            var files = DotNetDocumentationReader.FindFiles();
            return new("quickstart text", "SDK documentation", CheckState.Pass,
                string.Create(CultureInfo.InvariantCulture,
                    $"{files.Count} XML files, {Quantities.Bytes(files.Sum(file => new FileInfo(file).Length))}"), Fix);
        }
        catch (FileNotFoundException problem)
        {
            return new("quickstart text", "SDK documentation", CheckState.Fail, problem.Message, Fix);
        }
    }

    private static DoctorCheck Program(string name, string package, string use)
    {
        string file = OperatingSystem.IsWindows() ? name + ".exe" : name;
        string? path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Where(folder => folder.Length > 0).Select(folder => Path.Combine(folder, file)).FirstOrDefault(File.Exists);
        return new("optional", name, path is null ? CheckState.Warn : CheckState.Pass, path ?? "not found",
            $"Only for {use}. On Debian: apt-get install {package}");
    }

    private static DoctorCheck Library(string name, string[] files, string package, string use)
    {
        string? found = files.FirstOrDefault(file =>
        {
            bool loads = NativeLibrary.TryLoad(file, out nint handle);
            if (loads) NativeLibrary.Free(handle);
            return loads;
        });
        return new("optional", name, found is null ? CheckState.Warn : CheckState.Pass, found ?? "not found",
            $"Only for {use}. On Debian: apt-get install {package}");
    }
}
