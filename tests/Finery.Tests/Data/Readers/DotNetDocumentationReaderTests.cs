using Finery.Data;
using Finery.Data.Readers;
using Xunit;

namespace Finery.Tests.Data.Readers;

public sealed class DotNetDocumentationReaderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("finery-xml-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string File(string members, string assembly = "My.Library") =>
        $"<?xml version=\"1.0\"?>\n<doc><assembly><name>{assembly}</name></assembly><members>\n{members}\n</members></doc>";

    private static string Member(string id, string content = "<summary>Does it.</summary>") =>
        $"<member name=\"{id}\">{content}</member>\n";

    private List<Document> Read(string xml, ReadReport? report = null, string name = "My.Library.xml")
    {
        var path = Path.Combine(_folder, name);
        System.IO.File.WriteAllText(path, xml);
        return [.. new DotNetDocumentationReader { Paths = [path] }.Read(report ?? new())];
    }

    private string Text(string content) => Read(File(Member("M:A.B.C", content)))[0].Text;

    [Theory]
    [InlineData("M:System.String.Join(System.String,System.Object[])", "method", "System", "String", "String.Join")]
    [InlineData("T:System.Text.StringBuilder", "type", "System.Text", "StringBuilder", "StringBuilder")]
    [InlineData("M:System.Text.StringBuilder.#ctor(System.Int32)",
        "constructor", "System.Text", "StringBuilder", "StringBuilder constructor")]
    [InlineData("M:A.B.#cctor", "constructor", "A", "B", "B static constructor")]
    [InlineData("M:Ns.Pair`2.Add(`0,`1)", "method", "Ns", "Pair<TFirst, TSecond>", "Pair<TFirst, TSecond>.Add")]
    [InlineData("M:Ns.Pair`2.Inner.Go``1(``0)", "method", "Ns", "Pair<TFirst, TSecond>.Inner", "Pair<TFirst, TSecond>.Inner.Go")]
    [InlineData("P:Unknown.List`1.Count", "property", "Unknown", "List<T>", "List<T>.Count")]
    [InlineData("M:Unknown.Map`3.Get", "method", "Unknown", "Map<T1, T2, T3>", "Map<T1, T2, T3>.Get")]
    [InlineData("F:System.Math.PI", "field", "System", "Math", "Math.PI")]
    [InlineData("E:System.AppDomain.ProcessExit", "event", "System", "AppDomain", "AppDomain.ProcessExit")]
    [InlineData("N:System.Text", "namespace", "System.Text", "", "System.Text")]
    [InlineData("M:System.Decimal.op_Addition(System.Decimal,System.Decimal)",
        "operator", "System", "Decimal", "Decimal addition (+) operator")]
    [InlineData("M:System.Decimal.op_CheckedAddition(System.Decimal,System.Decimal)",
        "operator", "System", "Decimal", "Decimal checked addition (+) operator")]
    [InlineData("M:System.Decimal.op_Explicit(System.Decimal)~System.Int32",
        "operator", "System", "Decimal", "Decimal explicit conversion to Int32")]
    [InlineData("M:System.Decimal.op_Implicit(System.Char)~System.Decimal",
        "operator", "System", "Decimal", "Decimal implicit conversion from Char")]
    [InlineData("M:System.Single.System#IConvertible#ToByte(System.IFormatProvider)",
        "method", "System", "Single", "Single.IConvertible.ToByte")]
    [InlineData("P:A.Values.System#Collections#Generic#IList{System#String}#Item(System.Int32)",
        "property", "A", "Values", "Values.IList<String>.Item")]
    [InlineData("M:A.B.X#IMap{A#K,System#Int32}#Get", "method", "A", "B", "B.IMap<K, Int32>.Get")]
    public void Member_ids_become_names_people_write(string id, string kind, string space, string type, string shortName)
    {
        var pair = Member("T:Ns.Pair`2", "<summary>s</summary><typeparam name='TFirst'/><typeparam name='TSecond'/>");
        var metadata = Read(File(pair + Member(id)))[^1].Metadata;
        Assert.Equal(kind, (string?)metadata["kind"]);
        Assert.Equal(space, (string?)metadata["namespace"]);
        Assert.Equal(type, (string?)metadata["type"]);
        Assert.Equal(shortName, (string?)metadata["short_name"]);
        Assert.Equal(kind == "namespace" ? shortName : $"{space}.{shortName}", (string?)metadata["name"]);
        Assert.Equal("Does it.", (string?)metadata["summary"]);
        Assert.Equal("My.Library", (string?)metadata["assembly"]);
    }

    [Theory]
    [InlineData("M:")]
    [InlineData("M:a")]
    [InlineData("M:.")]
    [InlineData("M:..(.")]
    [InlineData("M:A.{{}")]
    [InlineData("M:A.#ctor")]
    [InlineData("P:}}}`")]
    [InlineData("M:A.op_Explicit()~")]
    [InlineData("M:A.op_Implicit(`0)~`")]
    [InlineData("T:A`99999999999999")]
    [InlineData("hostile id")]
    public void Malformed_ids_give_some_name_and_no_exception(string id) =>
        Assert.All(Read(File(Member(id))), d => Assert.NotNull(d.Metadata["name"]));

    [Fact]
    public void A_method_reads_naturally()
    {
        var text = Read(File(Member("M:System.String.Join(System.String,System.Object[])", """
            <summary>Concatenates the elements of an object
               array, using <paramref name="separator"/>.</summary>
            <typeparam name="T">The type.</typeparam>
            <param name="separator">The string to use. See <see cref="T:System.Text.StringBuilder"/>.</param>
            <param name="values"></param>
            <returns>A string, or <see langword="null"/>.</returns>
            <exception cref="T:System.ArgumentNullException"><paramref name="values"/> is <see langword="null"/>.</exception>
            <exception cref="T:System.ArgumentNullException">So is <paramref name="separator"/>.</exception>
            <exception cref="T:System.OutOfMemoryException">Too much.</exception>
            <remarks><para>First.</para><para>Second <c>x &lt; 1</c>.</para></remarks>
            """)))[0].Text;
        Assert.Equal("""
            String.Join method (System)

            Concatenates the elements of an object array, using separator.

            Type parameters:
            - T: The type.

            Parameters:
            - separator: The string to use. See StringBuilder.

            Returns: A string, or null.

            Exceptions:
            - ArgumentNullException: values is null. -or- So is separator.
            - OutOfMemoryException: Too much.

            Remarks: First.

            Second x < 1.
            """.ReplaceLineEndings("\n"), text);
    }

    [Theory]
    [InlineData("<summary>One <see cref='M:System.Linq.Enumerable.Select``2(System.Int32)'/> two</summary>",
        "One Enumerable.Select two")]
    [InlineData("<summary>A <see cref='T:System.Func`1'>delegate</see>.</summary>", "A delegate.")]
    [InlineData("<summary>See <see href='https://x.org/a'/> or <a href='https://y'>this</a>.</summary>",
        "See https://x.org/a or this.")]
    [InlineData("<summary>a<br/>b</summary>", "a\nb")]
    [InlineData("<summary>2<sup>31</sup></summary>", "2^31")]
    [InlineData("<summary>x.\n\n -or-\n\n y.</summary>", "x.\n\n-or-\n\ny.")]
    [InlineData("<summary>L: <list type='bullet'><item><description>a</description></item><item>b</item></list> end</summary>",
        "L:\n\n- a\n- b\n\nend")]
    [InlineData("<summary><list type='number'>"
        + "<item><term>t</term><description>d</description></item><item>e</item></list></summary>",
        "1. t: d\n2. e")]
    [InlineData("<summary><list type='table'><listheader><term>H</term></listheader>"
        + "<item><term>a</term><term>b</term></item></list></summary>",
        "- a, b")]
    [InlineData("<summary>Run:<code>\n   if (x)\n     y();\n\n   z();\n  </code></summary>",
        "Run:\n\n```\nif (x)\n  y();\n\nz();\n```")]
    [InlineData("<summary><code data-dev-comment-type='paramref'>left</code> is it.</summary>", "left is it.")]
    [InlineData("<summary><unknown>kept</unknown><devremarks>gone</devremarks></summary>", "kept")]
    public void Markup_becomes_text(string content, string expected) =>
        Assert.Equal($"B.C method (A)\n\n{expected}", Text(content));

    [Fact]
    public void Lists_inside_lines_are_joined()
    {
        Assert.EndsWith("Parameters:\n- p: One of: a: 1; b: 2", Text("<param name='p'>One of:<list type='table'>"
            + "<item><term>a</term><description>1</description></item>"
            + "<item><term>b</term><description>2</description></item></list></param>"));
    }

    [Fact]
    public void Members_without_prose_or_name_and_repeats_are_counted()
    {
        var report = new ReadReport();
        var documents = Read(File(
            Member("M:A.B.C", "<inheritdoc/>") + Member("M:A.B.D") + Member("M:A.B.D") + "<member><summary>x</summary></member>"
            + Member("M:A.B.E", "<summary> \n </summary><param name='x'/>")), report);
        Assert.Equal("My.Library/M:A.B.D", Assert.Single(documents).Id);
        Assert.Equal(2, report.Skipped["no_prose"].Count);
        Assert.Equal(1, report.Skipped["repeated_member"].Count);
        Assert.Equal(1, report.Skipped["unnamed_member"].Count);
        Assert.EndsWith("My.Library.xml:3", report.Skipped["no_prose"].FirstExample);
        Assert.Equal((1, 1, (long)documents[0].Text.Length), (report.Files, report.Documents, report.Bytes));
    }

    [Fact]
    public void A_truncated_file_keeps_the_members_before_the_damage()
    {
        var xml = File(string.Concat(Enumerable.Range(0, 10).Select(i => Member($"M:A.B.C{i}"))));
        for (var length = 0; length < xml.Length; length += 7)
        {
            var report = new ReadReport();
            var documents = Read(xml[..length], report);
            Assert.Equal(xml[..length].Split("</member>").Length - 1, documents.Count);
            Assert.Equal(1, report.Skipped["damaged_file"].Count);
        }
    }

    [Fact]
    public void Hostile_files_are_skipped_and_counted()
    {
        var report = new ReadReport();
        Assert.Empty(Read(
            "<!DOCTYPE doc [<!ENTITY a \"aaaa\">]><doc><members>"
            + Member("M:A.B.C", "<summary>&a;</summary>"), report));
        Assert.Empty(Read("<project><member name='M:A.B.C'><summary>x</summary></member></project>", report));
        Assert.Empty(Read("", report));
        Assert.Empty(Read("\0\0\0\0", report));
        Assert.Equal(3, report.Skipped["damaged_file"].Count);
        Assert.Equal(1, report.Skipped["not_documentation"].Count);
        var nested = string.Concat(Enumerable.Repeat("<b>", 50_000)) + "deep" + string.Concat(Enumerable.Repeat("</b>", 50_000));
        Assert.Single(Read(File(Member("M:A.B.C", $"<summary>top {nested}</summary>"))));
    }

    [Fact]
    public void The_same_assembly_in_two_packs_gets_distinct_ids()
    {
        foreach (var pack in new[] { "a", "b" })
        {
            Directory.CreateDirectory(Path.Combine(_folder, pack));
            System.IO.File.WriteAllText(Path.Combine(_folder, pack, "X.xml"), File(Member("M:A.B.C"), "X"));
        }
        var reader = DocumentReader.ForPaths([Path.Combine(_folder, "**", "*.xml")]);
        Assert.Equal(["X/M:A.B.C", "X#2/M:A.B.C"], reader.Read(new()).Select(d => d.Id));
    }

    [Fact]
    public void The_installed_sdk_is_found_and_its_text_is_clean()
    {
        IReadOnlyList<string> files = [];
        try
        {
            files = DotNetDocumentationReader.FindFiles();
        }
        catch (FileNotFoundException e)
        {
            Assert.Skip(e.Message);
        }
        var some = files.Where(f => Path.GetFileName(f) is "System.Collections.xml" or "System.Linq.xml").Take(2).ToList();
        Assert.SkipUnless(some.Count > 0, "This SDK does not document System.Collections.");
        var documents = new DotNetDocumentationReader { Paths = some }.Read(new()).ToList();
        Assert.True(documents.Count > 500);
        Assert.All(documents, d =>
        {
            Assert.DoesNotMatch(@"`\d|\b[TMPFE]:System|<(see|param|c|para)\b|  +[a-z]", d.Text);
            Assert.False(char.IsWhiteSpace(d.Text[^1]));
        });
        Assert.Contains(documents, d => (string?)d.Metadata["name"] == "System.Collections.Generic.List<T>.Add"
            || (string?)d.Metadata["name"] == "System.Linq.Enumerable.Select");
    }
}
