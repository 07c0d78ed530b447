using Decant.Agent.Releases;
using Decant.Names;

namespace Decant.Agent.Tests.Releases;

internal sealed class ReleaseMetadataTests
{
    private static readonly ReleaseId Id = new(ReleaseVersion.Parse("1.0.0"), Sha256Digest.Parse(new string('a', 64)));

    [TestCase("../../../../bin", 1)]
    [TestCase("", 1)]
    [TestCase("13.1.5", -1)]
    public void A_release_whose_erts_would_be_found_elsewhere_or_whose_size_is_negative_is_none(string erts, long bytes)
    {
        using var directory = new TemporaryDirectory();
        Directory.CreateDirectory(directory[Id.ToString()]);
        new ReleaseMetadata("shop", "1.0.0", Id.Digest.Value, erts, true, bytes, 1, DateTimeOffset.UnixEpoch).Write(directory[Id.ToString()]);

        var (release, why) = ReleaseMetadata.Read(directory[Id.ToString()]);

        Assert.That(release, Is.Null);
        Assert.That(why, Is.Not.Empty);
    }

    [Test]
    public void A_file_that_lacks_everything_is_none()
    {
        using var directory = new TemporaryDirectory();
        Directory.CreateDirectory(directory[Id.ToString()]);
        File.WriteAllText(Path.Combine(directory[Id.ToString()], ReleaseMetadata.FileName), "{}");

        Assert.That(ReleaseMetadata.Read(directory[Id.ToString()]).Release, Is.Null);
    }
}
