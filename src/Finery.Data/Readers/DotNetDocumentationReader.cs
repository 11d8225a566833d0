using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using System.Xml;
using System.Xml.Linq;

namespace Finery.Data.Readers;

/// <summary>
/// The XML documentation that every .NET SDK carries: one document per member that has prose, its readable name first. Files
/// are streamed; of a damaged one the members before the damage are kept.
/// </summary>
/// <remarks>
/// Id: <c>assembly/member id</c>; when a second file documents the same assembly, <c>assembly#2/member id</c>. Metadata:
/// <c>name</c>, <c>short_name</c>, <c>type</c>, <c>namespace</c>, <c>kind</c>, <c>assembly</c>, <c>summary</c>.
/// </remarks>
public sealed record DotNetDocumentationReader : DocumentReader
{
    /// <summary>Files or globs; empty for the documentation of the installed SDK.</summary>
    public IReadOnlyList<string> Paths { get; init; } = [];

    /// <summary>A file with more characters than this is cut there and counted as damaged.</summary>
    public long MaxFileCharacters { get; init; } = 1L << 30;

    /// <inheritdoc/>
    public override IEnumerable<Document> Read(ReadReport report)
    {
        var files = Paths.Count == 0 ? FindFiles() : FileGlob.ExpandAll(Paths);
        var settings = new XmlReaderSettings
        {
            DtdProcessing = DtdProcessing.Prohibit,
            XmlResolver = null,
            IgnoreComments = true,
            IgnoreProcessingInstructions = true,
            MaxCharactersInDocument = MaxFileCharacters,
            CloseInput = true,
        };
        var types = TypeNames.Collect(files, settings);
        var timesSeen = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var file in files)
            foreach (var document in ReadFile(file, settings, types, timesSeen, report))
                yield return report.Count(document);
    }

    /// <summary>Documentation files of the installed SDK, <c>packs/*.Ref/*/ref/*/*.xml</c>, in ordinal order.</summary>
    /// <exception cref="FileNotFoundException">There is no SDK with documentation; the message lists where it was sought.
    /// </exception>
    public static IReadOnlyList<string> FindFiles()
    {
        var roots = CandidateRoots().Where(r => !string.IsNullOrEmpty(r)).Select(r => Path.GetFullPath(r!)).Distinct().ToList();
        foreach (var root in roots)
        {
            var packs = Path.Combine(root, "packs");
            if (!Directory.Exists(packs))
                continue;
            try
            {
                return FileGlob.Expand(Path.Combine(packs, "*.Ref", "*", "ref", "*", "*.xml"));
            }
            catch (FileNotFoundException)
            {
                // A runtime without reference packs: another root may have them.
            }
        }
        throw new FileNotFoundException(
            "No .NET SDK with XML documentation was found. Looked for packs/*.Ref/*/ref/*/*.xml under: "
            + string.Join(", ", roots) + ". Install the .NET SDK (not only the runtime), set DOTNET_ROOT to its folder, "
            + "or give other text as input.");
    }

    private static IEnumerable<string?> CandidateRoots()
    {
        // <root>/shared/Microsoft.NETCore.App/<version>/
        yield return Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..");
        yield return Environment.GetEnvironmentVariable("DOTNET_ROOT");
        var name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        foreach (var folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator))
        {
            var file = new FileInfo(Path.Combine(folder.Length == 0 ? "." : folder, name));
            if (file.Exists)
                yield return Path.GetDirectoryName(file.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? file.FullName);
        }
        yield return OperatingSystem.IsWindows()
            ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "dotnet")
            : OperatingSystem.IsMacOS() ? "/usr/local/share/dotnet" : "/usr/share/dotnet";
        yield return OperatingSystem.IsWindows() ? null : "/usr/lib/dotnet";
    }

    private static IEnumerable<Document> ReadFile(
        string file, XmlReaderSettings settings, TypeNames types, Dictionary<string, int> timesSeen, ReadReport report)
    {
        XmlReader reader;
        try
        {
            reader = XmlReader.Create(File.OpenRead(file), settings);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or XmlException)
        {
            report.Skip("unreadable_file", $"{file} ({e.Message})");
            yield break;
        }
        using var opened = reader;
        report.CountFile();
        var assembly = Path.GetFileNameWithoutExtension(file);
        var source = "";
        var seen = new HashSet<string>(StringComparer.Ordinal);
        while (NextElement(reader, file, report) is { } element)
        {
            if (element.Name.LocalName == "assembly")
            {
                assembly = element.Element("name")?.Value.Trim() is { Length: > 0 } name ? name : assembly;
                continue;
            }
            if (source.Length == 0)
            {
                var times = timesSeen[assembly] = timesSeen.GetValueOrDefault(assembly) + 1;
                source = times == 1 ? assembly : $"{assembly}#{times}";
            }
            var where = $"{file}:{(reader as IXmlLineInfo)?.LineNumber}";
            if ((string?)element.Attribute("name") is not { Length: > 2 } id)
                report.Skip("unnamed_member", where);
            else if (!seen.Add(id))
                report.Skip("repeated_member", where);
            else if (ToDocument(element, id, source, assembly, types) is { } document)
                yield return document;
            else
                report.Skip("no_prose", where);
        }
    }

    /// <summary>The next <c>assembly</c> or <c>member</c>, whole; null at the end or where the file is damaged.</summary>
    private static XElement? NextElement(XmlReader reader, string file, ReadReport report)
    {
        try
        {
            while (reader.Read())
            {
                if (reader.NodeType != XmlNodeType.Element)
                    continue;
                if (reader.Depth == 0 && reader.Name != "doc")
                {
                    report.Skip("not_documentation", file);
                    return null;
                }
                if (reader.Name is "assembly" or "member")
                    return MemberElement.Read(reader);
            }
        }
        catch (Exception e) when (e is XmlException or IOException)
        {
            report.Skip("damaged_file", $"{file}:{(e as XmlException)?.LineNumber} ({e.Message})");
        }
        return null;
    }

    private static Document? ToDocument(XElement member, string id, string source, string assembly, TypeNames types)
    {
        var name = MemberName.Parse(id, types);
        var body = new StringBuilder();
        var summary = member.Element("summary");
        AddBlock(body, "", summary, types);
        AddNamed(body, "Type parameters:", member.Elements("typeparam"), e => (string?)e.Attribute("name"), types);
        AddNamed(body, "Parameters:", member.Elements("param"), e => (string?)e.Attribute("name"), types);
        AddLine(body, name.Kind is "property" or "field" ? "Value: " : "Returns: ", member.Element("returns"), types);
        AddLine(body, "Value: ", member.Element("value"), types);
        AddNamed(body, "Exceptions:", member.Elements("exception"),
            e => e.Attribute("cref") is { } cref ? MemberName.Reference(cref.Value, types) : null, types);
        AddBlock(body, "Remarks: ", member.Element("remarks"), types);
        AddBlock(body, "Example: ", member.Element("example"), types);
        if (body.Length == 0)
            return null;
        var title = name.Kind switch
        {
            "namespace" => $"{name.ShortName} namespace",
            "constructor" or "operator" => name.ShortName,
            _ => $"{name.ShortName} {name.Kind}",
        };
        if (name.Kind != "namespace" && name.Namespace.Length > 0)
            title += $" ({name.Namespace})";
        return new Document($"{source}/{id}", $"{title}\n\n{body}")
        {
            Metadata = new JsonObject
            {
                ["name"] = name.QualifiedName,
                ["short_name"] = name.ShortName,
                ["type"] = name.Type,
                ["namespace"] = name.Namespace,
                ["kind"] = name.Kind,
                ["assembly"] = assembly,
                ["summary"] = summary is null ? "" : MemberText.Line(summary, types),
            },
        };
    }

    private static void AddBlock(StringBuilder body, string label, XElement? element, TypeNames types)
    {
        if (element is not null && MemberText.Blocks(element, types) is { Length: > 0 } text)
            body.Append(body.Length == 0 ? "" : "\n\n").Append(label).Append(text);
    }

    private static void AddLine(StringBuilder body, string label, XElement? element, TypeNames types)
    {
        if (element is not null && MemberText.Line(element, types) is { Length: > 0 } text)
            body.Append(body.Length == 0 ? "" : "\n\n").Append(label).Append(text);
    }

    private static void AddNamed(
        StringBuilder body, string heading, IEnumerable<XElement> elements, Func<XElement, string?> nameOf, TypeNames types)
    {
        string? previous = null;
        var isFirst = true;
        foreach (var element in elements)
        {
            if (MemberText.Line(element, types) is not { Length: > 0 } text)
                continue;
            if (isFirst)
                body.Append(body.Length == 0 ? "" : "\n\n").Append(heading);
            isFirst = false;
            var name = nameOf(element);
            if (name is { Length: > 0 } && name == previous)
                body.Append(" -or- ").Append(text); // the documentation's own way to give one exception several causes
            else
                body.Append("\n- ").Append(name is { Length: > 0 } ? $"{name}: " : "").Append(text);
            previous = name;
        }
    }
}
