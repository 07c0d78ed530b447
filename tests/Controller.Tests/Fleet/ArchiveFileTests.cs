using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using Decant.Controller.Fleet;
using Decant.Errors;

namespace Decant.Controller.Tests.Fleet;

public class ArchiveFileTests
{
    private readonly string directory = Directory.CreateTempSubdirectory("decant-archive-").FullName;

    [OneTimeTearDown]
    public void Clean() => Directory.Delete(directory, recursive: true);

    [TestCase("")]
    [TestCase("./")]
    public async Task A_release_tells_its_name_version_and_digest(string prefix)
    {
        // As Phoenix has it: more scripts than the release's own.
        var path = Make($"{prefix}bin/shop", $"{prefix}bin/server", $"{prefix}releases/1.2.0/shop.rel", $"{prefix}erts-14.0/bin/erl", $"{prefix}releases/start_erl.data");

        var archive = await ArchiveFile.ReadAsync(path, default);

        Assert.Multiple(() =>
        {
            Assert.That(archive.Name, Is.EqualTo("shop"));
            Assert.That(archive.Release.Version.Value, Is.EqualTo("1.2.0"));
            Assert.That(archive.ErtsVersion, Is.EqualTo("14.0"));
            Assert.That(archive.IncludesErts, Is.True);
            Assert.That(archive.Size, Is.EqualTo(new FileInfo(path).Length));
            Assert.That(archive.Release.Digest.Value, Is.EqualTo(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)))));
        });
    }

    [Test]
    public async Task What_is_no_release_says_what_it_lacks()
    {
        Assert.That(await ReasonOf(Make("README.md")), Is.EqualTo("NOT_A_RELEASE"));
        Assert.That(await ReasonOf(Make("releases/start_erl.data")), Is.EqualTo("NOT_A_RELEASE"));
        Assert.That(await ReasonOf(Path.Combine(directory, "none.tar.gz")), Is.EqualTo("ARCHIVE_NOT_FOUND"));
    }

    [Test]
    public async Task A_truncated_or_foreign_file_is_not_a_whole_archive()
    {
        var path = Make("bin/shop", "releases/1.2.0/shop.rel", "releases/start_erl.data", "lib/big");
        var bytes = File.ReadAllBytes(path);
        File.WriteAllBytes(path, bytes[..(bytes.Length / 2)]);
        var text = Path.Combine(directory, "text.tar.gz");
        File.WriteAllText(text, "this is not gzip");

        Assert.That(await ReasonOf(path), Is.EqualTo("ARCHIVE_CORRUPT"));
        Assert.That(await ReasonOf(text), Is.EqualTo("ARCHIVE_CORRUPT"));
    }

    private static async Task<string> ReasonOf(string path)
    {
        try
        {
            return $"none: it is {await ArchiveFile.ReadAsync(path, default)}";
        }
        catch (OperatorException exception)
        {
            return exception.Error.Reason;
        }
    }

    private string Make(params string[] names)
    {
        var path = Path.Combine(directory, $"{Guid.NewGuid():N}.tar.gz");
        using var tar = new TarWriter(new GZipStream(File.Create(path), CompressionLevel.Fastest));
        foreach (var name in names)
        {
            var content = new byte[100_000];
            new Random(1).NextBytes(content);
            if (name.EndsWith("start_erl.data", StringComparison.Ordinal)) content = "14.0 1.2.0"u8.ToArray();
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name)
            {
                DataStream = new MemoryStream(content),
                Mode = UnixFileMode.UserRead | UnixFileMode.UserExecute,
            });
        }

        return path;
    }
}
